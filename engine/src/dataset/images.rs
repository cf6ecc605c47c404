//! Frames kept as image files.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat};

use super::DatasetError;
use crate::frame::Size;

/// The files `{folder}/{frame}{suffix}`, one a frame.
pub(super) struct ImageFolder {
    folder: PathBuf,
    suffix: String,
    size: Size,
    position: usize,
    /// The file being decoded; kept, so that its memory is reused.
    encoded: Vec<u8>,
}

impl ImageFolder {
    pub(super) fn new(folder: &Path, suffix: &str, size: Size) -> Self {
        Self {
            folder: folder.to_owned(),
            suffix: suffix.to_owned(),
            size,
            position: 0,
            encoded: Vec::new(),
        }
    }

    pub(super) fn seek(&mut self, frame: usize) {
        self.position = frame;
    }

    pub(super) fn read_next(&mut self, out: &mut [u8]) -> Result<(), DatasetError> {
        let frame = self.position;
        let path = image_path(&self.folder, frame, &self.suffix);
        self.encoded.clear();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut self.encoded))
            .map_err(|source| DatasetError::Io { path: path.clone(), source })?;
        decode_bgr(&self.encoded, &path, frame, self.size, out)?;
        self.position += 1;
        Ok(())
    }
}

/// `{folder}/{frame}{suffix}`.
pub(super) fn image_path(folder: &Path, frame: usize, suffix: &str) -> PathBuf {
    folder.join(format!("{frame}{suffix}"))
}

/// Size of the image in a file, from its header.
pub(super) fn image_size(path: &Path) -> Result<Size, DatasetError> {
    let encoded =
        fs::read(path).map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
    let (width, height) = image::ImageReader::new(Cursor::new(&encoded))
        .with_guessed_format()
        .map_err(ImageError::IoError)
        .and_then(image::ImageReader::into_dimensions)
        .map_err(|source| decode_error(path, 0, source))?;
    Ok(Size::new(width as usize, height as usize))
}

fn decode_bgr(
    encoded: &[u8],
    path: &Path,
    frame: usize,
    size: Size,
    out: &mut [u8],
) -> Result<(), DatasetError> {
    let reader = image::ImageReader::new(Cursor::new(encoded))
        .with_guessed_format()
        .map_err(|error| decode_error(path, frame, error))?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(encoded) {
        return Err(decode_error(path, frame, "the JPEG data is cut short"));
    }
    let decoder = reader.into_decoder().map_err(|error| decode_error(path, frame, error))?;
    let (width, height) = decoder.dimensions();
    let found = Size::new(width as usize, height as usize);
    if found != size {
        return Err(DatasetError::FrameSize {
            path: path.to_owned(),
            frame,
            found: found.to_string(),
            expected: size,
        });
    }
    if decoder.color_type() == ColorType::Rgb8 {
        decoder.read_image(out).map_err(|error| decode_error(path, frame, error))?;
    } else {
        let image = DynamicImage::from_decoder(decoder)
            .map_err(|error| decode_error(path, frame, error))?;
        out.copy_from_slice(&image.into_rgb8());
    }
    for [red, _, blue] in out.as_chunks_mut().0 {
        std::mem::swap(red, blue);
    }
    Ok(())
}

/// Whether the image data has its end marker. The decoder itself fills what is missing with grey.
fn jpeg_is_whole(encoded: &[u8]) -> bool {
    const START_OF_SCAN: [u8; 2] = [0xFF, 0xDA];
    const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
    // Inside a scan every 0xFF byte is followed by something else than these two.
    let last =
        encoded.windows(2).rev().find(|pair| *pair == START_OF_SCAN || *pair == END_OF_IMAGE);
    last == Some(&END_OF_IMAGE)
}

fn decode_error(
    path: &Path,
    frame: usize,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> DatasetError {
    DatasetError::Decode { path: path.to_owned(), frame, source: source.into() }
}
