//! Samples -> mel spectrogram.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::STEP_ROWS;
use super::bands::{BANDS, Band};

/// Samples that one row is made of.
const WINDOW: usize = 800;
/// Samples from one row to the next.
pub(super) const HOP: usize = 200;
/// Rows are centred on their samples: half a window of zeros lies before the first sample and behind
/// the last.
const PADDING: usize = WINDOW / 2;
/// How much of the sample before is taken away from each.
const PRE_EMPHASIS: f64 = 0.97;
/// Magnitude of a band below which it counts as this.
const FLOOR: f64 = 1e-5;

/// A mel spectrogram: 80 rows a second, each with 80 bands, lowest first, of -4 to 4.
#[derive(Clone, Debug, PartialEq)]
pub struct Mel {
    /// Row after row.
    values: Vec<f32>,
}

impl Mel {
    /// Bands of a row.
    pub const BANDS: usize = BANDS;
    /// Values in a step's window.
    pub const WINDOW_LEN: usize = STEP_ROWS * BANDS;

    /// The spectrogram of all samples of a sound, at 16 kHz, 1 being full scale.
    pub fn of(samples: &[f32]) -> Self {
        let mut stream = MelStream::new();
        stream.push(samples);
        stream.finish()
    }

    /// Number of rows: one more than there are whole 200 samples.
    pub fn rows(&self) -> usize {
        self.values.len() / BANDS
    }

    /// The bands of one row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * BANDS..][..BANDS]
    }

    /// Writes the 16 rows from `start` on as the encoder sees them, `[80, 16]`: time runs along a
    /// row of `out`.
    ///
    /// # Panics
    /// When there are no 16 rows from `start` on, or `out` does not hold [`Self::WINDOW_LEN`] values.
    pub fn window(&self, start: usize, out: &mut [f32]) {
        assert_eq!(out.len(), Self::WINDOW_LEN, "a window is 80 bands of 16 rows");
        for time in 0..STEP_ROWS {
            for (band, &value) in self.row(start + time).iter().enumerate() {
                out[band * STEP_ROWS + time] = value;
            }
        }
    }
}

/// Makes a [`Mel`] of samples that arrive in pieces, whose sizes do not matter.
///
/// The formula, as the code that trains SyncTalk_2D has it with librosa: `y[n] = x[n] - 0.97 x[n-1]`,
/// the magnitude of its short-time Fourier transform (800 samples under a periodic Hann window,
/// every 200, zeros beyond both ends), summed in 80 bands of 55 to 7600 Hz (scale and normalisation
/// of Slaney), as `20 log10(max(1e-5, m)) - 20`, from -100 to 0 stretched to -4 to 4 and clipped
/// there. All of it in f64: in f32 the rounding alone reaches 5e-5 in the silent bands beside a loud
/// tone, and the time this takes is nothing to the encoder's.
pub struct MelStream {
    transform: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    bands: Vec<Band>,
    /// Emphasised samples from the beginning of the next row on.
    pending: Vec<f64>,
    /// The sample before the next one.
    previous: f64,
    values: Vec<f32>,
    // Scratch of one row.
    windowed: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    magnitudes: Vec<f64>,
    scratch: Vec<Complex<f64>>,
}

impl Default for MelStream {
    fn default() -> Self {
        Self::new()
    }
}

impl MelStream {
    /// Before the first sample.
    pub fn new() -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(WINDOW);
        let phase = |i: usize| std::f64::consts::TAU * i as f64 / WINDOW as f64;
        Self {
            window: (0..WINDOW).map(|i| 0.5 - 0.5 * phase(i).cos()).collect(),
            bands: Band::all(WINDOW),
            pending: vec![0.0; PADDING],
            previous: 0.0,
            values: Vec::new(),
            windowed: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            magnitudes: vec![0.0; WINDOW / 2 + 1],
            scratch: transform.make_scratch_vec(),
            transform,
        }
    }

    /// The next samples.
    pub fn push(&mut self, samples: &[f32]) {
        self.pending.reserve(samples.len());
        for &sample in samples {
            let sample = f64::from(sample);
            self.pending.push(sample - PRE_EMPHASIS * self.previous);
            self.previous = sample;
        }
        self.make_rows();
    }

    /// After the last sample.
    pub fn finish(mut self) -> Mel {
        self.pending.resize(self.pending.len() + PADDING, 0.0);
        self.make_rows();
        Mel { values: self.values }
    }

    /// Makes the rows whose samples are all there, and drops what no later row needs.
    fn make_rows(&mut self) {
        let mut start = 0;
        while start + WINDOW <= self.pending.len() {
            self.make_row(start);
            start += HOP;
        }
        self.pending.drain(..start);
    }

    fn make_row(&mut self, start: usize) {
        let samples = &self.pending[start..start + WINDOW];
        for ((out, sample), weight) in self.windowed.iter_mut().zip(samples).zip(&self.window) {
            *out = sample * weight;
        }
        let Self { transform, windowed, spectrum, scratch, .. } = self;
        if let Err(error) = transform.process_with_scratch(windowed, spectrum, scratch) {
            unreachable!("the transform made its buffers itself: {error}");
        }
        for (magnitude, bin) in self.magnitudes.iter_mut().zip(&self.spectrum) {
            *magnitude = bin.norm();
        }
        self.values.extend(self.bands.iter().map(|band| level(band.sum(&self.magnitudes))));
    }
}

impl fmt::Debug for MelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MelStream")
            .field("rows", &(self.values.len() / BANDS))
            .finish_non_exhaustive()
    }
}

/// A band's magnitude in decibels, from -100 to 0 stretched to -4 to 4.
fn level(magnitude: f64) -> f32 {
    let decibels = 20.0 * magnitude.max(FLOOR).log10() - 20.0;
    (8.0 * (decibels + 100.0) / 100.0 - 4.0).clamp(-4.0, 4.0) as f32
}
