//! Sound -> audio features.
//!
//! [`Sound::load`] has ffmpeg decode a file and makes its mel spectrogram on the way, so that the
//! samples are never all in memory. An [`Encoder`] turns windows of it into
//! [`Features`](crate::dataset::Features), one row for each output frame. Every number on this way is
//! that of the code that such networks are trained with: another window or another rounding would
//! be another voice to them.

mod bands;
mod decode;
mod encoder;
mod error;
mod mel;
mod sound;
mod steps;

#[cfg(test)]
mod tests;

pub use encoder::Encoder;
pub use error::AudioError;
pub use mel::{Mel, MelStream};
pub use sound::Sound;
pub use steps::{STEP_ROWS, frame_count, step_count, step_of_frame, step_start};

/// Samples a second of all sound in here.
pub const SAMPLE_RATE: usize = 16_000;
