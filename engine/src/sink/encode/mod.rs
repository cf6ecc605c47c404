//! One frame to the bytes of one image file.

#[cfg(not(feature = "opencv"))]
mod jpeg_rust;
#[cfg(feature = "opencv")]
mod jpeg_turbo;
mod png_image;

// Two encoders for one format, because they are a factor of three apart: a 1280x720 frame takes
// 2.4 ms in the libjpeg-turbo that comes with OpenCV and 7.6 ms in pure Rust. Size and quality are
// the same.
#[cfg(not(feature = "opencv"))]
pub(super) use jpeg_rust::JpegEncoder;
#[cfg(feature = "opencv")]
pub(super) use jpeg_turbo::JpegEncoder;
pub(super) use png_image::bgr_to_rgb;
pub(crate) use png_image::encode_png;

/// Longest side of a JPG image in pixels.
pub(super) const JPEG_MAX_SIDE: usize = 65_535;
/// Longest side of a PNG image in pixels.
pub(super) const PNG_MAX_SIDE: usize = i32::MAX as usize;

/// What an encoder says when it refuses.
pub(crate) type EncoderError = Box<dyn std::error::Error + Send + Sync>;
