//! A sound, ready for an encoder.

use std::ops::ControlFlow;
use std::path::Path;

use super::decode::decode;
use super::mel::HOP;
use super::{AudioError, Mel, MelStream, SAMPLE_RATE, STEP_ROWS, frame_count};

/// Samples that make the 16 mel rows of one step. Shorter sounds are followed by silence.
const SHORTEST: usize = (STEP_ROWS - 1) * HOP;

/// The mel spectrogram of a sound. It takes 92 MB an hour.
#[derive(Clone, Debug)]
pub struct Sound {
    mel: Mel,
    samples: u64,
    complaints: Vec<String>,
}

impl Sound {
    /// Has the program `ffmpeg` decode the first audio stream of the file `path`, mixed to mono and
    /// resampled to 16 kHz. Between two pieces, `stopped` is asked whether to give up.
    ///
    /// A file that is damaged or cut short gives as much as ffmpeg makes of it; see
    /// [`complaints`](Self::complaints).
    ///
    /// # Errors
    /// What is no regular file, is empty, holds no sound that ffmpeg can decode, no samples, or
    /// samples that are no numbers; a program that cannot be run; [`AudioError::Stopped`].
    pub fn load(
        path: &Path,
        ffmpeg: &Path,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, AudioError> {
        let mut stream = MelStream::new();
        let mut samples = 0;
        let complaints = decode(path, ffmpeg, &mut |piece| {
            samples += piece.len() as u64;
            stream.push(piece);
            if stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        match samples {
            0 => Err(AudioError::NoSamples { path: path.to_owned() }),
            _ => Ok(Self::finish(stream, samples, complaints)),
        }
    }

    /// The sound with these samples, at 16 kHz.
    pub fn from_samples(samples: &[f32]) -> Self {
        let mut stream = MelStream::new();
        stream.push(samples);
        Self::finish(stream, samples.len() as u64, Vec::new())
    }

    fn finish(mut stream: MelStream, samples: u64, complaints: Vec<String>) -> Self {
        let missing = SHORTEST.saturating_sub(usize::try_from(samples).unwrap_or(SHORTEST));
        stream.push(&vec![0.0; missing]);
        Self { mel: stream.finish(), samples, complaints }
    }

    /// The spectrogram, at least 16 rows.
    pub fn mel(&self) -> &Mel {
        &self.mel
    }

    /// Length, without the silence that was added.
    pub fn seconds(&self) -> f64 {
        self.samples as f64 / SAMPLE_RATE as f64
    }

    /// Frames of a video with this sound.
    pub fn frames(&self) -> u64 {
        frame_count(self.samples)
    }

    /// What ffmpeg found wrong with a file that it could decode all the same: a few sentences,
    /// mostly none. Where there are some, the file may be damaged or cut short.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }
}
