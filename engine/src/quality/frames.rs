//! What was found out about composited frames.

use serde::{Deserialize, Serialize};

use super::meter::decibels;
use super::{Quality, TooFar};

/// How far one composited frame is from the reference, inside its rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameQuality {
    /// Number of the output frame.
    pub frame: u64,
    /// Peak signal-to-noise ratio in dB, over the bytes of all three channels; infinite, written as
    /// null, where the two are equal.
    #[serde(with = "decibels")]
    pub psnr_db: f64,
    /// Structural similarity, 1 where the two are equal; `None` where the rectangle is too small for
    /// it ([`ssim`](super::ssim)).
    pub ssim: Option<f64>,
    /// Largest difference of two bytes.
    pub largest_difference: u8,
    /// Bytes that differ.
    pub differing_bytes: u64,
}

/// How far composited frames are from the reference, inside their rectangles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompositedQuality {
    /// All frames together.
    pub overall: Quality,
    /// Mean structural similarity of the frames that have one.
    pub mean_ssim: Option<f64>,
    /// The lowest of them.
    pub worst_ssim: Option<f64>,
    /// Each frame, in order.
    pub frames: Vec<FrameQuality>,
}

impl CompositedQuality {
    /// `frames` and the sums over them.
    pub(super) fn new(overall: Quality, frames: Vec<FrameQuality>) -> Self {
        let ssims: Vec<f64> = frames.iter().filter_map(|frame| frame.ssim).collect();
        let mean_ssim = (!ssims.is_empty()).then(|| ssims.iter().sum::<f64>() / ssims.len() as f64);
        let worst_ssim = ssims.iter().copied().reduce(f64::min);
        Self { overall, mean_ssim, worst_ssim, frames }
    }

    /// The frames, those with the lowest signal-to-noise ratio first, and of equal ones the earlier.
    pub fn worst_first(&self) -> Vec<FrameQuality> {
        let mut frames = self.frames.clone();
        frames.sort_by(|a, b| a.psnr_db.total_cmp(&b.psnr_db));
        frames
    }

    /// Refuses frames of which the worst has less than `min_psnr_db`.
    ///
    /// # Errors
    /// [`TooFar`] names the worst frame.
    pub fn check(&self, min_psnr_db: f64) -> Result<(), TooFar> {
        let worst = &self.overall;
        match worst.worst_psnr_db >= min_psnr_db {
            true => Ok(()),
            false => Err(TooFar {
                frame: worst.worst_frame,
                psnr_db: worst.worst_psnr_db,
                largest: worst.largest_difference,
                min_psnr_db,
            }),
        }
    }
}
