//! Frames as one file each.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::frame::Size;

use super::SampleError;
use super::package::{FrameSet, Kind};
use crate::sink::ImageFormat;

/// High enough that the drawings stay clean.
const JPEG_QUALITY: u8 = 95;

/// Writes the frames of an unpacked package.
pub(super) struct ImageWriter<'a> {
    root: &'a Path,
    kinds: &'a [Kind; 4],
    format: ImageFormat,
}

impl<'a> ImageWriter<'a> {
    pub(super) fn create(
        root: &'a Path,
        kinds: &'a [Kind; 4],
        format: ImageFormat,
    ) -> Result<Self, SampleError> {
        for kind in kinds {
            let folder = root.join(&kind.folder);
            fs::create_dir_all(&folder).map_err(SampleError::write(folder))?;
        }
        Ok(Self { root, kinds, format })
    }

    /// Writes frames `first`, `first + 1`, ...
    pub(super) fn write(&self, first: usize, sets: &[FrameSet]) -> Result<(), SampleError> {
        sets.par_iter().enumerate().try_for_each(|(i, set)| {
            self.kinds.iter().zip(set.images()).try_for_each(|(kind, pixels)| {
                let name = format!("{}{}.{}", first + i, kind.suffix, self.format.extension());
                self.write_image(self.root.join(&kind.folder).join(name), kind.size, pixels)
            })
        })
    }

    fn write_image(&self, path: PathBuf, size: Size, pixels: &[u8]) -> Result<(), SampleError> {
        match self.format {
            ImageFormat::Png => write_png(&path, size, pixels),
            ImageFormat::Jpg => write_jpg(&path, size, pixels),
        }
        .map_err(SampleError::write(path))
    }
}

type Encoded = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn write_png(path: &Path, size: Size, pixels: &[u8]) -> Encoded {
    let rgb: Vec<u8> = pixels.chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]).collect();
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, size.width as u32, size.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(())
}

fn write_jpg(path: &Path, size: Size, pixels: &[u8]) -> Encoded {
    let mut data = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut data, JPEG_QUALITY);
    let (width, height) = (u16::try_from(size.width)?, u16::try_from(size.height)?);
    encoder.encode(pixels, width, height, jpeg_encoder::ColorType::Bgr)?;
    Ok(fs::write(path, data)?)
}
