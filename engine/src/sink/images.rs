//! One image file a frame.

use std::fs;
use std::path::{Path, PathBuf};

use super::encode::{
    EncoderError, JPEG_MAX_SIDE, JpegEncoder, PNG_MAX_SIDE, bgr_to_rgb, encode_png,
};
use super::saver::{Saver, check_size, write};
use super::{ImageFormat, SinkError, SinkOptions};
use crate::file::WholeFile;
use crate::frame::{OutputFrame, Size};

/// Writes `frame_00000.png` and so on into one folder.
pub(super) struct ImageSaver {
    folder: PathBuf,
    format: ImageFormat,
    digits: usize,
    size: Size,
    encoder: Encoder,
}

enum Encoder {
    Png(Vec<u8>),
    Jpg(JpegEncoder),
}

impl ImageSaver {
    /// Savers for `options.encoders` threads, at least one. Makes the folder and tries whether
    /// files can be made in it, so that a long run does not end at its first frame.
    pub(super) fn open(
        folder: &Path,
        format: ImageFormat,
        options: &SinkOptions,
    ) -> Result<Vec<Self>, SinkError> {
        let (size, quality) = (options.frame, options.jpeg_quality);
        let limit = match format {
            ImageFormat::Png => PNG_MAX_SIDE,
            ImageFormat::Jpg => JPEG_MAX_SIDE,
        };
        if size.width.min(size.height) == 0 || size.width.max(size.height) > limit {
            return Err(SinkError::UnsupportedSize { size, format: format.extension(), limit });
        }
        if format == ImageFormat::Jpg && !(1..=100).contains(&quality) {
            return Err(SinkError::Quality { quality });
        }
        make_folder(folder)?;
        let digits = digits(options.frames);
        let saver = || Self {
            folder: folder.to_owned(),
            format,
            digits,
            size,
            encoder: match format {
                ImageFormat::Png => Encoder::Png(Vec::new()),
                ImageFormat::Jpg => Encoder::Jpg(JpegEncoder::new(quality)),
            },
        };
        Ok((0..options.encoders.max(1)).map(|_| saver()).collect())
    }
}

impl Saver for ImageSaver {
    fn save(&mut self, mut frame: OutputFrame) -> Result<(), SinkError> {
        check_size(&frame, self.size)?;
        let index = frame.index;
        let bytes = self.encoder.encode(&mut frame.pixels, self.size).map_err(|source| {
            let format = self.format.extension();
            SinkError::Encode { what: format!("frame {index}"), format, source }
        })?;
        drop(frame);

        let extension = self.format.extension();
        let name = format!("frame_{index:0digits$}.{extension}", digits = self.digits);
        let path = self.folder.join(name);
        let mut file = WholeFile::create(&path)?;
        write(&mut file, format_args!("frame {index}"), bytes)?;
        Ok(file.commit()?)
    }

    fn complete(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

impl Encoder {
    /// The image file of `bgr`, which is scratch afterwards.
    fn encode(&mut self, bgr: &mut [u8], size: Size) -> Result<&[u8], EncoderError> {
        match self {
            Self::Png(bytes) => {
                // In place: the frame is ours, and a second image would not fit the cache.
                bgr_to_rgb(bgr);
                encode_png(bgr, size, bytes)?;
                Ok(bytes)
            }
            Self::Jpg(encoder) => encoder.encode(bgr, size),
        }
    }
}

/// Digits of the last index of `frames` frames, at least five.
fn digits(frames: u64) -> usize {
    let last = frames.saturating_sub(1);
    last.checked_ilog10().map_or(1, |log| log as usize + 1).max(5)
}

fn make_folder(folder: &Path) -> Result<(), SinkError> {
    if folder.exists() && !folder.is_dir() {
        return Err(SinkError::NotAFolder { path: folder.to_owned() });
    }
    fs::create_dir_all(folder)
        .map_err(|source| SinkError::CreateFolder { path: folder.to_owned(), source })?;
    WholeFile::create(&folder.join("frame"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_wide_as_the_last_one() {
        let widths = [0, 1, 99_999, 100_000, 100_001, 1_000_000, 1_000_001].map(digits);
        assert_eq!(widths, [5, 5, 5, 5, 6, 6, 7]);
    }
}
