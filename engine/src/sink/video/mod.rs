//! Video files, through an ffmpeg child process.
//!
//! ```text
//! out.mp4.segments/00000.mp4, 00001.mp4, ...   encoded one by one, each whole or not at all
//!                  manifest.json               what they are made of
//! out.mp4                                      joined without encoding again, with the sound
//! ```
//!
//! A segment is encoded by a process of its own from frames that no other segment has, so it comes
//! out the same whether or not the render was interrupted before it. A render that was interrupted,
//! however it was, continues with the first segment that is missing.

mod cuts;
mod encoder;
mod error;
mod ffmpeg;
mod job;
mod join;
mod manifest;
mod options;
mod saver;
mod segments;

pub use error::VideoError;
pub use ffmpeg::Ffmpeg;
pub use job::{Start, VideoJob};
pub use manifest::Identity;
pub use options::{Codec, Sound, VideoOptions};
