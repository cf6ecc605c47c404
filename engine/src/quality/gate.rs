//! What is good enough.

/// Peak signal-to-noise ratio that every composited frame should have, in dB, unless somebody asks
/// for another.
///
/// At 40 dB the root mean square difference inside the rectangle is 2.6 of 255 levels.
pub const DEFAULT_MIN_PSNR_DB: f64 = 40.0;
/// The most that can be asked for.
pub const MAX_MIN_PSNR_DB: f64 = 100.0;

/// A frame is too far from the reference.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "frame {frame} is the worst, with {psnr_db:.2} dB inside its rectangle and bytes that differ by \
     up to {largest}; expected at least {min_psnr_db} dB (--min-psnr) in every frame"
)]
pub struct TooFar {
    /// Number of the worst frame.
    pub frame: u64,
    /// Its peak signal-to-noise ratio.
    pub psnr_db: f64,
    /// The largest difference of two bytes in any frame.
    pub largest: u8,
    /// What was asked for.
    pub min_psnr_db: f64,
}
