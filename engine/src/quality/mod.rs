//! How far apart images are that should be the same: peak signal-to-noise ratio, structural
//! similarity, largest difference.
//!
//! [`composite`] keeps what a backend puts into frames, [`CompositedFrames::compare`] says how far
//! the frames of another one are from that. Only the frames' rectangles are looked at: the rest of a
//! frame is the background on both sides, and would only flatter.

mod composited;
mod frames;
mod gate;
mod glyphs;
mod meter;
mod picture;
mod ssim;

pub use composited::{CompositedFrames, Excerpt, Patch, composite};
pub use frames::{CompositedQuality, FrameQuality};
pub use gate::{DEFAULT_MIN_PSNR_DB, MAX_MIN_PSNR_DB, TooFar};
pub(crate) use meter::decibels;
pub use meter::{Difference, QUALITY_FLOOR_DB, Quality, QualityMeter};
pub use picture::{AMPLIFICATION, Picture};
pub use ssim::ssim;
