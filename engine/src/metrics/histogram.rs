//! How measurements are distributed.

use serde::Serialize;

/// How many of a set of measurements lie where: bins of one width from the smallest measurement on,
/// and what lies above the last of them, so that a few outliers do not squeeze all others into one
/// bin. Every measurement is counted exactly once.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the first bin begins: the smallest measurement, 0 without measurements.
    pub from: f64,
    /// How wide each bin is, in the unit of the measurements.
    pub width: f64,
    /// Measurements in each bin, in ascending order. A bin begins at its lower end; the last one also
    /// has its upper end.
    pub counts: Vec<u64>,
    /// Measurements above the last bin.
    pub above: u64,
}

impl Histogram {
    /// Counts `values`, which must be finite, in at most `bins` bins, none narrower than
    /// `resolution` (above 0). They reach to the largest measurement or, where that is nearer, as far
    /// above the 95th percentile (nearest rank) as that is above the smallest measurement.
    pub fn of(values: &[f64], bins: usize, resolution: f64) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&from), Some(&max)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let p95 = sorted[(95 * sorted.len()).div_ceil(100) - 1];
        let to = max.min(p95 + (p95 - from).max(resolution));
        let wanted = ((to - from) / resolution).ceil() as usize;
        let bins = wanted.clamp(1, bins.max(1));
        let width = ((to - from) / bins as f64).max(resolution);
        let end = from + width * bins as f64;
        let mut histogram = Self { from, width, counts: vec![0; bins], above: 0 };
        for value in sorted {
            match histogram.counts.get_mut(((value - from) / width) as usize) {
                Some(count) => *count += 1,
                // Rounding may put the largest measurement a little above the last bin.
                None if value <= end.max(to) => histogram.counts[bins - 1] += 1,
                None => histogram.above += 1,
            }
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_reach_from_the_smallest_to_the_largest() {
        let histogram = Histogram::of(&[3.0, 1.0, 2.0, 5.0, 4.9], 4, 0.001);
        let expected = Histogram { from: 1.0, width: 1.0, counts: vec![1, 1, 1, 2], above: 0 };
        assert_eq!(histogram, expected);
    }

    #[test]
    fn outliers_are_counted_above() {
        let mut values: Vec<f64> = (0..99).map(|k| 10.0 + f64::from(k % 11)).collect();
        values.push(5000.0);
        let histogram = Histogram::of(&values, 20, 0.001);
        assert_eq!((histogram.from, histogram.width, histogram.above), (10.0, 1.0, 1));
        assert_eq!(histogram.counts.iter().sum::<u64>(), 99);
        assert_eq!(histogram.counts[..11], [9; 11]);
    }

    #[test]
    fn equal_measurements_are_one_bin_of_the_resolution() {
        let histogram = Histogram::of(&[8.18, 8.18, 8.180_000_1], 40, 0.001);
        let expected = Histogram { from: 8.18, width: 0.001, counts: vec![3], above: 0 };
        assert_eq!(histogram, expected);
        assert_eq!(Histogram::of(&[], 40, 0.001), Histogram::default());
    }

    #[test]
    fn every_measurement_is_counted_once() {
        for n in 1..200_u32 {
            let values: Vec<f64> =
                (0..n).map(|k| f64::from(k * k % 37) * 0.1 + f64::from(k / 90) * 40.0).collect();
            for bins in [1, 7, 40] {
                let histogram = Histogram::of(&values, bins, 0.001);
                assert!(histogram.counts.len() <= bins);
                let counted = histogram.counts.iter().sum::<u64>() + histogram.above;
                assert_eq!(counted, u64::from(n));
            }
        }
    }
}
