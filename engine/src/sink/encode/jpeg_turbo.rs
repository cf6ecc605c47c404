//! JPG through OpenCV, which brings libjpeg-turbo.

use opencv::core::{Mat, Vec3b, Vector};
use opencv::imgcodecs::{IMWRITE_JPEG_QUALITY, imencode};

use super::EncoderError;
use crate::frame::Size;

/// Encodes 4:2:0 baseline JPG files into a buffer of its own.
pub(crate) struct JpegEncoder {
    bytes: Vector<u8>,
    parameters: Vector<i32>,
}

impl JpegEncoder {
    /// `quality` is 1 to 100.
    pub(crate) fn new(quality: u8) -> Self {
        let parameters = Vector::from_slice(&[IMWRITE_JPEG_QUALITY, i32::from(quality)]);
        Self { bytes: Vector::new(), parameters }
    }

    /// A JPG file of `bgr`, packed BGR rows of `size` pixels.
    pub(crate) fn encode(&mut self, bgr: &[u8], size: Size) -> Result<&[u8], EncoderError> {
        let (rows, columns) = (size.height.try_into()?, size.width.try_into()?);
        let image = Mat::new_rows_cols_with_bytes::<Vec3b>(rows, columns, bgr)?;
        if imencode(".jpg", &image, &mut self.bytes, &self.parameters)? {
            Ok(self.bytes.as_slice())
        } else {
            Err("OpenCV's encoder gave no reason".into())
        }
    }
}
