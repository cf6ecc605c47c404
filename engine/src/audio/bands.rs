//! The mel bands: triangles over the bins of a spectrum.

use std::ops::Range;

use super::SAMPLE_RATE;

/// Number of bands.
pub(super) const BANDS: usize = 80;
/// Lowest and highest frequency that a band reaches, in Hz.
const LIMITS: (f64, f64) = (55.0, 7600.0);

/// Slaney's mel scale (Auditory Toolbox, 1998), as librosa has it: linear up to here, 15 mel, and
/// logarithmic above.
const BEND_HZ: f64 = 1000.0;
const BEND_MEL: f64 = 15.0;
const HZ_A_MEL: f64 = BEND_HZ / BEND_MEL;

/// One step above the bend multiplies the frequency by the 27th root of 6.4; this is the logarithm.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel(hz: f64) -> f64 {
    match hz < BEND_HZ {
        true => hz / HZ_A_MEL,
        false => BEND_MEL + (hz / BEND_HZ).ln() / log_step(),
    }
}

fn hz(mel: f64) -> f64 {
    match mel < BEND_MEL {
        true => mel * HZ_A_MEL,
        false => BEND_HZ * (log_step() * (mel - BEND_MEL)).exp(),
    }
}

/// One band: weights of the bins that it does not leave out.
#[derive(Debug)]
pub(super) struct Band {
    bins: Range<usize>,
    weights: Vec<f64>,
}

impl Band {
    /// The bands over the `bins` = `size / 2 + 1` bins of a transform over `size` samples. Each
    /// triangle has the area that Slaney gives it: 1 over frequency.
    pub(super) fn all(size: usize) -> Vec<Self> {
        let (low, high) = (mel(LIMITS.0), mel(LIMITS.1));
        let edge = |i: usize| hz(low + (high - low) * i as f64 / (BANDS + 1) as f64);
        (0..BANDS)
            .map(|band| Self::new(size, [edge(band), edge(band + 1), edge(band + 2)]))
            .collect()
    }

    fn new(size: usize, [from, peak, to]: [f64; 3]) -> Self {
        let weight = |bin: usize| {
            let hz = (bin * SAMPLE_RATE) as f64 / size as f64;
            let triangle = ((hz - from) / (peak - from)).min((to - hz) / (to - peak));
            triangle.max(0.0) * 2.0 / (to - from)
        };
        let mut inside = (0..=size / 2).filter(|&bin| weight(bin) > 0.0);
        let first = inside.next().unwrap_or(0);
        let bins = first..inside.next_back().unwrap_or(first) + 1;
        let weights = bins.clone().map(weight).collect();
        Self { bins, weights }
    }

    /// The weighted sum of a spectrum's bins.
    pub(super) fn sum(&self, spectrum: &[f64]) -> f64 {
        let bins = &spectrum[self.bins.clone()];
        bins.iter().zip(&self.weights).map(|(bin, weight)| bin * weight).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_and_its_inverse() {
        assert_eq!([mel(0.0), mel(1000.0), hz(15.0)], [0.0, 15.0, 1000.0]);
        assert!((mel(6400.0) - 42.0).abs() < 1e-9);
        for step in 0..900 {
            let mel_value = f64::from(step) / 20.0;
            assert!((mel(hz(mel_value)) - mel_value).abs() < 1e-9);
        }
    }

    #[test]
    fn bands_have_the_same_area_and_no_gaps() {
        let bands = Band::all(800);
        assert_eq!(bands.len(), BANDS);
        assert!(bands.windows(2).all(|pair| pair[0].bins.end > pair[1].bins.start));
        // From 55 to 7600 Hz with bins 20 Hz apart.
        assert_eq!((bands[0].bins.start, bands[79].bins.end), (3, 380));
        // The wider a band, the nearer the sum over bins is to the area.
        let area = |band: &Band| band.weights.iter().sum::<f64>() * 20.0;
        assert!(bands[60..].iter().all(|band| (area(band) - 1.0).abs() < 0.01));
    }
}
