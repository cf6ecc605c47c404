//! JPG in pure Rust, for builds without OpenCV.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use super::EncoderError;
use crate::frame::Size;

/// Encodes 4:2:0 baseline JPG files into a buffer of its own.
pub(crate) struct JpegEncoder {
    bytes: Vec<u8>,
    quality: u8,
}

impl JpegEncoder {
    /// `quality` is 1 to 100.
    pub(crate) fn new(quality: u8) -> Self {
        Self { bytes: Vec::new(), quality }
    }

    /// A JPG file of `bgr`, packed BGR rows of `size` pixels.
    pub(crate) fn encode(&mut self, bgr: &[u8], size: Size) -> Result<&[u8], EncoderError> {
        self.bytes.clear();
        let mut encoder = Encoder::new(&mut self.bytes, self.quality);
        encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
        // The crate's default keeps one chroma sample of four, which costs up to 2 dB.
        encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        encoder.encode(bgr, size.width.try_into()?, size.height.try_into()?, ColorType::Bgr)?;
        Ok(&self.bytes)
    }
}
