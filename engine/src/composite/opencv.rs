//! The reference: our conversion, then `cv::resize`.

use ::opencv::core::{CV_8UC3, Mat, Scalar, Size as CvSize, set_num_threads};
use ::opencv::imgproc::{INTER_CUBIC, INTER_LINEAR, resize};
use ::opencv::prelude::*;

use crate::frame::{ModelGeometry, Size};

use super::Interpolation;
use super::cpu::scalar::{Target, patch};
use super::error::CompositeError;

/// The images that the reference writes to on its way. OpenCV allocates them with the first frame.
#[derive(Debug, Default)]
pub(super) struct OpenCvScratch {
    patched: Mat,
    resized: Mat,
}

impl OpenCvScratch {
    /// Whether the images are those of crops of `geometry`, or not there yet.
    pub(super) fn suits(&self, geometry: ModelGeometry) -> bool {
        self.patched.empty() || self.patched.rows() as usize == geometry.crop_side()
    }
}

/// Version of the linked library.
pub(super) fn version() -> Option<String> {
    ::opencv::core::get_version_string().ok()
}

/// Keeps OpenCV, in the whole process, from starting threads of its own: the pipeline composites
/// frames in parallel already.
pub(super) fn use_calling_thread() -> Result<(), CompositeError> {
    set_num_threads(1).map_err(|source| CompositeError::OpenCvThreads { source })
}

/// Composites one frame; see [`super::cpu::scalar::composite`] for what the arguments satisfy.
pub(super) fn composite(
    interpolation: Interpolation,
    geometry: ModelGeometry,
    scratch: &mut OpenCvScratch,
    prediction: &[f32],
    crop: &[u8],
    target: Target<'_>,
) -> Result<(), CompositeError> {
    let size = target.rect.size();
    let resized = run(interpolation, geometry, scratch, prediction, crop, size)
        .map_err(|source| CompositeError::OpenCv { size, source })?;
    for (row, out) in resized.chunks_exact(size.stride()).zip(target.rows()) {
        out.copy_from_slice(row);
    }
    Ok(())
}

fn run<'a>(
    interpolation: Interpolation,
    geometry: ModelGeometry,
    scratch: &'a mut OpenCvScratch,
    prediction: &[f32],
    crop: &[u8],
    size: Size,
) -> ::opencv::Result<&'a [u8]> {
    if scratch.patched.empty() {
        let side = geometry.crop_side() as i32;
        scratch.patched = Mat::new_rows_cols_with_default(side, side, CV_8UC3, Scalar::default())?;
    }
    patch(geometry, prediction, crop, scratch.patched.data_bytes_mut()?);
    let flag = match interpolation {
        Interpolation::Linear => INTER_LINEAR,
        Interpolation::Cubic => INTER_CUBIC,
    };
    // A size that OpenCV cannot express is one that it refuses.
    let [width, height] = [size.width, size.height].map(|n| i32::try_from(n).unwrap_or(i32::MAX));
    let dsize = CvSize::new(width, height);
    resize(&scratch.patched, &mut scratch.resized, dsize, 0.0, 0.0, flag)?;
    scratch.resized.data_bytes()
}
