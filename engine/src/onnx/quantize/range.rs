//! The values that a tensor takes, and the range of them that 8 bits are spread over.

use super::GraphError;

/// Number of bins. Even with outliers a hundred times as large as the rest, that has 20 of them.
const BINS: usize = 2048;
/// Parts of the largest magnitude that are tried as the end of the range.
const CANDIDATES: std::ops::RangeInclusive<u32> = 20..=100;

/// How often a tensor takes which magnitude, in bounded memory: the range of the bins doubles when a
/// value lies outside. Zeros, which any scale represents exactly, are not counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
    /// Where the last bin ends, a power of two; 0 before the first value.
    end: f32,
    largest: f32,
}

/// Scale and zero point of a tensor in unsigned 8 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// What a step of 1 stands for.
    pub scale: f32,
    /// The number that stands for 0.
    pub zero_point: u8,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BINS], end: 0.0, largest: 0.0 }
    }
}

impl Histogram {
    /// Counts `values`, which the tensor `name` has taken.
    ///
    /// # Errors
    /// [`GraphError::NotFinite`]; the histogram is then of no use.
    pub fn add(&mut self, name: &str, values: impl Iterator<Item = f32>) -> Result<(), GraphError> {
        for value in values {
            let magnitude = value.abs();
            if magnitude > self.largest {
                if !magnitude.is_finite() {
                    return Err(GraphError::NotFinite { tensor: name.to_owned(), value });
                }
                self.largest = magnitude;
                self.reach(magnitude);
            } else if magnitude.is_nan() {
                return Err(GraphError::NotFinite { tensor: name.to_owned(), value });
            }
            if magnitude > 0.0 {
                let bin = (magnitude / self.end * BINS as f32) as usize;
                self.counts[bin.min(BINS - 1)] += 1;
            }
        }
        Ok(())
    }

    /// The largest magnitude.
    pub fn largest(&self) -> f32 {
        self.largest
    }

    /// Doubles the range until `magnitude` is inside.
    fn reach(&mut self, magnitude: f32) {
        if self.end == 0.0 {
            // The next power of two; the smallest values share one range.
            self.end = magnitude.max(f32::MIN_POSITIVE * BINS as f32).log2().floor().exp2() * 2.0;
        }
        while self.end < magnitude {
            for bin in 0..BINS / 2 {
                self.counts[bin] = self.counts[2 * bin] + self.counts[2 * bin + 1];
            }
            self.counts[BINS / 2..].fill(0);
            self.end *= 2.0;
        }
    }

    /// The scale with the smallest mean squared error of the values that were counted, clipping
    /// included. Tensors that cannot be negative get all 255 steps, others 127 each way.
    pub fn activation(&self, can_be_negative: bool) -> Activation {
        let (steps, zero_point) = match can_be_negative {
            true => (127.0, 128),
            false => (255.0, 0),
        };
        if self.largest == 0.0 {
            return Activation { scale: 1.0, zero_point };
        }
        let width = f64::from(self.end) / BINS as f64;
        let error = |scale: f64| -> f64 {
            let bins = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            bins.map(|(bin, &count)| {
                let centre = (bin as f64 + 0.5) * width;
                let rounded = (centre / scale).round().min(steps) * scale;
                count as f64 * (centre - rounded).powi(2)
            })
            .sum()
        };
        let scales = CANDIDATES.map(|part| {
            // As the file holds it.
            (f64::from(self.largest) * f64::from(part) / 100.0 / steps) as f32
        });
        let best = scales
            .map(|scale| {
                (scale.max(f32::MIN_POSITIVE), error(f64::from(scale.max(f32::MIN_POSITIVE))))
            })
            // Of equal ones the largest, which clips least.
            .min_by(|a, b| a.1.total_cmp(&b.1).then(b.0.total_cmp(&a.0)));
        Activation { scale: best.map_or(1.0, |(scale, _)| scale), zero_point }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add("t", values.iter().copied()).unwrap();
        histogram
    }

    #[test]
    fn evenly_spread_values_use_the_whole_range() {
        let values: Vec<f32> = (0..=100_000).map(|k| k as f32 / 100_000.0 * 6.0).collect();
        let Activation { scale, zero_point } = histogram(&values).activation(false);
        assert_eq!((scale, zero_point), (6.0 / 255.0, 0));
        let Activation { scale, zero_point } = histogram(&values).activation(true);
        assert_eq!((scale, zero_point), (6.0 / 127.0, 128));
    }

    #[test]
    fn an_outlier_is_clipped_where_that_is_the_smaller_error() {
        // A million values up to 1, and one of 4. To end the range at c costs (4 - c)^2 for the one and
        // c^2 / 255^2 / 12 for each of the others: least at 4 / (1 + 10^6 / 255^2 / 12) = 1.75.
        let mut values: Vec<f32> = (0..1_000_000).map(|k| (k % 1000) as f32 / 1000.0).collect();
        values.push(4.0);
        let end = histogram(&values).activation(false).scale * 255.0;
        assert!((1.65..1.85).contains(&end), "ends at {end}");
        // A hundred thousand of the same are part of the distribution.
        values.extend([4.0; 100_000]);
        let scale = histogram(&values).activation(false).scale;
        assert!(scale * 255.0 > 3.9, "ends at {}", scale * 255.0);
    }

    #[test]
    fn the_range_grows_as_if_it_had_been_known() {
        let small: Vec<f32> = (1..500).map(|k| k as f32 / 1000.0).collect();
        let large: Vec<f32> = (1..500).map(|k| -(k as f32) / 3.0).collect();
        let known = histogram(&[&large[..], &small[..]].concat());
        let grown = histogram(&[&small[..], &large[..]].concat());
        assert_eq!(known.end, 256.0);
        assert_eq!(grown.end, 256.0);
        assert_eq!(grown.counts.iter().sum::<u64>(), known.counts.iter().sum::<u64>());
        assert_eq!(grown.activation(true), known.activation(true));
        assert_eq!(grown.largest(), 499.0 / 3.0);
    }

    #[test]
    fn a_tensor_of_zeros_has_some_scale() {
        assert_eq!(histogram(&[0.0; 9]).activation(false).scale, 1.0);
        let tiny = histogram(&[1e-44; 3]).activation(true).scale;
        assert!(tiny > 0.0 && tiny.is_finite());
        let huge = histogram(&[3e38, -1.0]).activation(true).scale;
        assert!(huge > 1e36 && huge.is_finite());
    }

    #[test]
    fn what_is_no_number_is_named() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = Histogram::default().add("some", [1.0, value].into_iter()).unwrap_err();
            assert!(error.to_string().contains("\"some\" holds"), "{error}");
        }
    }
}
