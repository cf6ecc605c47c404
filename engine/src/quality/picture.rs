//! Frames beside each other, for people to look at.

use std::io::Write;
use std::path::Path;

use super::{CompositedFrames, FrameQuality, glyphs};
use crate::file::WholeFile;
use crate::frame::Size;
use crate::sink::{SinkError, encode_png};

/// What differences are multiplied by, so that they can be seen.
pub const AMPLIFICATION: u8 = 8;

/// Pixels between images and around them.
const GAP: usize = 8;
/// Pixels of the picture for one of a glyph, each way.
const ZOOM: usize = 2;
/// Height of the line above a row of images.
const LABEL: usize = glyphs::HEIGHT * ZOOM + GAP;
const BACKGROUND: u8 = 24;
const INK: u8 = 220;

/// For each of some frames a row: the reference, the candidate, and how far they are apart, inside
/// the frame's rectangle at its own size. Above it the number of the frame and its signal-to-noise
/// ratio.
///
/// The third image has for every byte `min(255, 8 * |a - b|)`.
pub struct Picture {
    rgb: Vec<u8>,
    size: Size,
}

impl Picture {
    /// A picture of `frames`, in their order; what is not in both sets of frames is left out.
    pub fn new(
        reference: &CompositedFrames,
        candidate: &CompositedFrames,
        frames: &[FrameQuality],
    ) -> Self {
        let both = |quality: &FrameQuality| {
            Some((*quality, reference.patch(quality.frame)?, candidate.patch(quality.frame)?))
        };
        let rows: Vec<_> =
            frames.iter().filter_map(both).filter(|(_, a, b)| a.size == b.size).collect();
        let widest = rows.iter().map(|(_, patch, _)| patch.size.width).max().unwrap_or(0);
        let heights = rows.iter().map(|(_, patch, _)| LABEL + patch.size.height + GAP);
        let size = Size::new(GAP + 3 * (widest + GAP), GAP + heights.sum::<usize>());
        let mut picture = Self { rgb: vec![BACKGROUND; size.bytes()], size };
        let mut top = GAP;
        for (quality, reference, candidate) in rows {
            let label = match quality.psnr_db.is_finite() {
                true => format!("frame {}  {:.1} dB", quality.frame, quality.psnr_db),
                false => format!("frame {}  equal", quality.frame),
            };
            picture.write(&label, top);
            let difference = reference.bgr.iter().zip(&candidate.bgr);
            let difference: Vec<u8> =
                difference.map(|(a, b)| a.abs_diff(*b).saturating_mul(AMPLIFICATION)).collect();
            for (column, bgr) in [&reference.bgr, &candidate.bgr, &difference].iter().enumerate() {
                picture.place(bgr, reference.size, GAP + column * (widest + GAP), top + LABEL);
            }
            top += LABEL + reference.size.height + GAP;
        }
        picture
    }

    /// Size in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Writes the picture as a PNG file: whole, or not at all.
    ///
    /// # Errors
    /// When the picture cannot be encoded or the file not be written.
    pub fn save(&self, path: &Path) -> Result<(), SinkError> {
        let what = || "the picture of the worst frames".to_owned();
        let mut file = WholeFile::create(path)?;
        let mut bytes = Vec::new();
        encode_png(&self.rgb, self.size, &mut bytes).map_err(|source| SinkError::Encode {
            what: what(),
            format: "png",
            source,
        })?;
        file.write_all(&bytes).map_err(|source| SinkError::Write {
            what: what(),
            place: path.display().to_string(),
            source,
        })?;
        Ok(file.commit()?)
    }

    /// Puts packed BGR pixels with their upper left corner at `left`, `top`.
    fn place(&mut self, bgr: &[u8], size: Size, left: usize, top: usize) {
        for (y, row) in bgr.chunks_exact(size.stride()).enumerate() {
            let start = (top + y) * self.size.stride() + left * 3;
            let out = &mut self.rgb[start..start + size.stride()];
            for (out, pixel) in out.chunks_exact_mut(3).zip(row.chunks_exact(3)) {
                out.copy_from_slice(&[pixel[2], pixel[1], pixel[0]]);
            }
        }
    }

    /// Writes one line of text, as far as it fits.
    fn write(&mut self, text: &str, top: usize) {
        for (at, character) in text.chars().enumerate() {
            let left = GAP + at * (glyphs::WIDTH + 1) * ZOOM;
            if left + glyphs::WIDTH * ZOOM > self.size.width {
                return;
            }
            for (y, bits) in glyphs::glyph(character).iter().enumerate() {
                for x in (0..glyphs::WIDTH).filter(|x| bits >> (glyphs::WIDTH - 1 - x) & 1 == 1) {
                    self.dot(left + x * ZOOM, top + y * ZOOM);
                }
            }
        }
    }

    fn dot(&mut self, left: usize, top: usize) {
        for y in top..top + ZOOM {
            let start = y * self.size.stride() + left * 3;
            self.rgb[start..start + 3 * ZOOM].fill(INK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::ModelGeometry;
    use crate::quality::Patch;

    /// Frames numbered from 3, each of its own size, with pixels that tell where they are.
    fn frames(sizes: &[(usize, usize)], offset: u8) -> CompositedFrames {
        let patch = |(at, &(width, height)): (usize, &(usize, usize))| {
            let size = Size::new(width, height);
            let bgr = (0..size.bytes()).map(|at| (at % 90) as u8 + offset).collect();
            Patch { frame: 3 + at as u64, size, bgr }
        };
        let geometry = ModelGeometry::new(32).unwrap();
        CompositedFrames::new(geometry, sizes.iter().enumerate().map(patch).collect())
    }

    #[test]
    fn shows_reference_candidate_and_amplified_difference_of_the_worst() {
        let sizes = [(40, 20), (30, 31), (24, 16)];
        let (reference, candidate) = (frames(&sizes, 0), frames(&sizes, 5));
        let quality = reference.compare(&candidate).unwrap();
        let mut worst = quality.worst_first();
        worst.reverse();
        worst.truncate(2);
        let picture = Picture::new(&reference, &candidate, &worst);
        let shown: Vec<&Patch> =
            worst.iter().map(|frame| reference.patch(frame.frame).unwrap()).collect();
        let widest = shown.iter().map(|patch| patch.size.width).max().unwrap();
        let heights: usize = shown.iter().map(|patch| LABEL + patch.size.height + GAP).sum();
        assert_eq!(picture.size(), Size::new(GAP + 3 * (widest + GAP), GAP + heights));

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worst.png");
        picture.save(&path).unwrap();
        let image = image::open(&path).unwrap().into_rgb8();
        assert_eq!(
            (image.width() as usize, image.height() as usize),
            (picture.size.width, picture.size.height)
        );
        let mut top = GAP;
        let mut seen = 0;
        for patch in shown {
            let Size { width, height } = patch.size;
            for y in 0..height {
                for x in 0..width {
                    let at = (y * width + x) * 3;
                    let reference = [2, 1, 0].map(|channel| patch.bgr[at + channel]);
                    let expected = [reference, reference.map(|value| value + 5), [40; 3]];
                    for (column, expected) in expected.into_iter().enumerate() {
                        let left = GAP + column * (widest + GAP);
                        let pixel = image.get_pixel((left + x) as u32, (top + LABEL + y) as u32);
                        assert_eq!(pixel.0, expected, "frame {}: {x}, {y}", patch.frame);
                        seen += 1;
                    }
                }
            }
            let labelled =
                (0..LABEL).any(|y| image.get_pixel(GAP as u32 + 8, (top + y) as u32).0 == [INK; 3]);
            assert!(labelled, "frame {} has no label", patch.frame);
            top += LABEL + height + GAP;
        }
        assert_eq!(seen, 3 * (30 * 31 + 24 * 16));
    }

    #[test]
    fn large_differences_are_white_and_long_labels_end_at_the_edge() {
        let (reference, candidate) = (frames(&[(11, 11)], 0), frames(&[(11, 11)], 100));
        let worst = reference.compare(&candidate).unwrap().worst_first();
        let picture = Picture::new(&reference, &candidate, &worst);
        let stride = picture.size.stride();
        let row = &picture.rgb[(GAP + LABEL) * stride..][..stride];
        assert_eq!(row[3 * (GAP + 2 * (11 + GAP))..][..33], [255; 33]);
        assert!(row[stride - 3 * GAP..].iter().all(|&byte| byte == BACKGROUND));
    }

    #[test]
    fn every_character_of_a_label_has_a_glyph() {
        for character in "0123456789.framedBequal".chars() {
            assert_ne!(glyphs::glyph(character), [0; glyphs::HEIGHT], "{character:?}");
        }
    }
}
