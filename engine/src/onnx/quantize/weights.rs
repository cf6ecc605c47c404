//! Weights in signed 8 bits.

/// The largest magnitude; -128 is not used, so that the range is symmetric.
const STEPS: f32 = 127.0;

/// Weights with a scale for each channel: a value is `quantized * scales[channel]`.
#[derive(Debug, PartialEq)]
pub(super) struct Quantized {
    pub(super) values: Vec<i8>,
    pub(super) scales: Vec<f32>,
}

/// Quantizes `weights` of shape `dims` with a scale for each index of axis `axis`: the largest
/// magnitude of the channel is 127. All weights are finite, and as many as `dims` say.
pub(super) fn per_channel(weights: &[f32], dims: &[i64], axis: usize) -> Quantized {
    let size = |dims: &[i64]| dims.iter().product::<i64>().max(0) as usize;
    let (channels, inner) = (size(&dims[axis..=axis]), size(&dims[axis + 1..]));
    let channel = |at: usize| at / inner.max(1) % channels.max(1);
    let mut scales = vec![0_f32; channels];
    for (at, weight) in weights.iter().enumerate() {
        let largest = &mut scales[channel(at)];
        *largest = largest.max(weight.abs());
    }
    for scale in &mut scales {
        // A channel of zeros has some scale, and one of denormals one that can be divided by.
        *scale = match *scale {
            0.0 => 1.0,
            largest => (largest / STEPS).max(f32::MIN_POSITIVE),
        };
    }
    let round = |(at, weight): (usize, &f32)| {
        (weight / scales[channel(at)]).round_ties_even().clamp(-STEPS, STEPS) as i8
    };
    let values = weights.iter().enumerate().map(round).collect();
    Quantized { values, scales }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_the_scale_of_its_largest_weight() {
        let weights = [0.0, 12.7, -6.35, 0.254, -0.127, 0.0, 0.0, 0.0, 0.0];
        let of_rows = per_channel(&weights, &[3, 3], 0);
        assert_eq!(of_rows.scales, [12.7 / 127.0, 0.254 / 127.0, 1.0]);
        assert_eq!(of_rows.values, [0, 127, -64, 127, -64, 0, 0, 0, 0], "ties go to even");
        let of_columns = per_channel(&weights[..6], &[1, 3, 2], 1);
        assert_eq!(of_columns.scales, [12.7 / 127.0, 6.35 / 127.0, 0.127 / 127.0]);
        assert_eq!(of_columns.values, [0, 127, -127, 5, -127, 0]);
    }

    #[test]
    fn denormals_do_not_overflow() {
        let quantized = per_channel(&[1e-44, -1e-44, 3e38, 0.0], &[2, 2], 0);
        assert_eq!(quantized.values, [0, 0, 127, 0]);
        assert!(quantized.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0));
    }
}
