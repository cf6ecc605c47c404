//! Sample packages and networks: something to render and to measure where no avatar is at hand, and
//! input for tests.
//!
//! [`write_package`] draws a complete avatar package and gives it something to say; [`unet`],
//! [`probe`] and [`demo`] make the networks that go into it, [`audio_encoder`] the one that listens.

mod audio_encoder;
mod demo;
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
mod speech;
#[cfg(feature = "opencv")]
mod videos;
mod weights;

pub use audio_encoder::audio_encoder;
pub use demo::demo;
pub use error::SampleError;
pub use network::unet;
pub use options::{Batch, Form, NetworkKind, SampleOptions};
pub use package::{is_current, write_package};
pub use probe::probe;

/// Dimensions of the networks' audio input, without the batch: 16 rows of 512 features, reshaped.
const AUDIO_DIMS: [usize; 3] = [32, 16, 16];
/// Frames a second of everything that has a rate.
const FPS: f64 = 25.0;
