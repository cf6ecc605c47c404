//! Sample packages and networks: something to render and to measure where no avatar is at hand, and
//! input for tests.
//!
//! [`write_package`] draws a complete avatar package; [`unet`] and [`probe`] make the networks that
//! go into it.

mod draw;
mod error;
mod face;
mod features;
mod graph;
mod images;
mod motion;
mod network;
mod options;
mod package;
mod probe;
#[cfg(feature = "opencv")]
mod videos;
mod weights;

pub use error::SampleError;
pub use network::unet;
pub use options::{Batch, Form, NetworkKind, SampleOptions};
pub use package::{is_current, write_package};
pub use probe::probe;

/// Dimensions of the networks' audio input, without the batch: 16 rows of 512 features, reshaped.
const AUDIO_DIMS: [usize; 3] = [32, 16, 16];
/// Frames a second of everything that has a rate.
const FPS: f64 = 25.0;
