//! Predictions back into frames: convert, place into the crop, resize, overwrite the rectangle.
//!
//! A [`Compositor`] is planned once for all rectangles of a package and then run for every frame,
//! with memory that the caller passes in as a [`Scratch`].
//!
//! One frame takes these steps, whichever kernels run them:
//! 1. Every predicted float becomes the byte `trunc(clamp(p * 255, 0, 255))`; NaN becomes 0.
//! 2. The bytes replace the inner square of the crop (not in place: crops are shared).
//! 3. That image is resized to the rectangle's size with the bytes of OpenCV's `cv::resize` for
//!    8-bit images.
//! 4. The result overwrites the rectangle in the frame. No other byte of the frame is touched.
//!
//! The scalar kernel is the specification; the others give the same bytes.

mod choice;
mod compositor;
mod cpu;
mod error;
#[cfg(feature = "opencv")]
mod opencv;
mod plan;

pub use choice::{CompositorChoice, Interpolation, KernelLevel};
pub use compositor::{Compositor, Scratch, patch_stride};
pub(crate) use cpu::to_byte;
pub use error::{CompositeError, UnknownName};
#[cfg(feature = "cuda")]
pub(crate) use plan::linear_taps;

/// Version of the OpenCV that is linked; `None` in a build without it.
pub fn opencv_version() -> Option<String> {
    #[cfg(feature = "opencv")]
    return opencv::version();
    #[cfg(not(feature = "opencv"))]
    None
}
