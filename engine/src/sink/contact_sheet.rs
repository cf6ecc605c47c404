//! A few frames of a run, small, on one image.

use std::path::Path;

use super::encode::{PNG_MAX_SIDE, encode_png};
use super::saver::{check_size, write};
use super::{Sink, SinkError};
use crate::file::{FileError, WholeFile};
use crate::frame::{OutputFrame, Size};

/// Widest thumbnail in pixels.
const THUMB_WIDTH: usize = 320;
/// Pixels between thumbnails and around them.
const GAP: usize = 8;
const MAX_COLUMNS: usize = 4;
const BACKGROUND: u8 = 24;

/// Passes every frame on to another sink and draws evenly spaced ones on a contact sheet.
///
/// The sheet is a PNG file that appears when the run finishes, or not at all.
pub struct ContactSheetSink {
    inner: Box<dyn Sink>,
    file: Option<WholeFile>,
    frame: Size,
    frames: u64,
    thumbs: usize,
    drawn: usize,
    sheet: Sheet,
}

impl ContactSheetSink {
    /// A sheet `out` of `thumbs` thumbnails from a run of `frames` frames of `frame` pixels that go
    /// on to `inner`; the first and the last frame are among them. A run of fewer frames gives
    /// fewer thumbnails; a run that ends early leaves their places empty.
    ///
    /// # Errors
    /// The frames have no pixels, or the file `out` cannot be created.
    pub fn new(
        inner: Box<dyn Sink>,
        out: &Path,
        frame: Size,
        frames: u64,
        thumbs: usize,
    ) -> Result<Self, SinkError> {
        if frame.bytes() == 0 {
            return Err(SinkError::UnsupportedSize {
                size: frame,
                format: "png",
                limit: PNG_MAX_SIDE,
            });
        }
        if out.is_dir() {
            return Err(FileError::Folder { path: out.to_owned() }.into());
        }
        let most = usize::try_from(frames).unwrap_or(usize::MAX).max(1);
        let thumbs = thumbs.clamp(1, most);
        let file = Some(WholeFile::create(out)?);
        Ok(Self { inner, file, frame, frames, thumbs, drawn: 0, sheet: Sheet::new(frame, thumbs) })
    }

    /// The frame that becomes the next thumbnail.
    fn next_wanted(&self) -> Option<u64> {
        let gaps = (self.thumbs - 1).max(1) as u128;
        let last = u128::from(self.frames.saturating_sub(1));
        (self.drawn < self.thumbs).then(|| (self.drawn as u128 * last / gaps) as u64)
    }
}

impl Sink for ContactSheetSink {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        check_size(&frame, self.frame)?;
        // A run that continues an earlier one does not have its frames.
        while self.next_wanted().is_some_and(|wanted| wanted < frame.index) {
            self.drawn += 1;
        }
        if self.next_wanted() == Some(frame.index) {
            self.sheet.draw(&frame, self.drawn);
            self.drawn += 1;
        }
        let written = self.inner.write(frame);
        if written.is_err() {
            self.file = None;
        }
        written
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        let mut file = self.file.take().ok_or(SinkError::Closed)?;
        self.inner.finish()?;
        let what = format_args!("the contact sheet");
        let mut bytes = Vec::new();
        encode_png(&self.sheet.rgb, self.sheet.size, &mut bytes).map_err(|source| {
            SinkError::Encode { what: what.to_string(), format: "png", source }
        })?;
        write(&mut file, what, &bytes)?;
        Ok(file.commit()?)
    }
}

/// Thumbnails in a grid, filled row by row.
struct Sheet {
    rgb: Vec<u8>,
    size: Size,
    thumb: Size,
    columns: usize,
}

impl Sheet {
    fn new(frame: Size, thumbs: usize) -> Self {
        let width = frame.width.min(THUMB_WIDTH);
        let height = (frame.height * width).div_ceil(frame.width);
        let thumb = Size::new(width, height);
        let columns = (1..MAX_COLUMNS).find(|n| n * n >= thumbs).unwrap_or(MAX_COLUMNS);
        let size = Size::new(
            GAP + columns * (width + GAP),
            GAP + thumbs.div_ceil(columns) * (height + GAP),
        );
        Self { rgb: vec![BACKGROUND; size.bytes()], size, thumb, columns }
    }

    /// Shrinks the frame into cell `cell`: each pixel is the mean of the pixels it stands for.
    fn draw(&mut self, frame: &OutputFrame, cell: usize) {
        let left = GAP + cell % self.columns * (self.thumb.width + GAP);
        let top = GAP + cell / self.columns * (self.thumb.height + GAP);
        for y in 0..self.thumb.height {
            let rows = span(y, self.thumb.height, frame.size.height);
            let start = (top + y) * self.size.stride() + left * 3;
            let line = &mut self.rgb[start..start + self.thumb.stride()];
            for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
                let columns = span(x, self.thumb.width, frame.size.width);
                let count = (rows.len() * columns.len()) as u32;
                let mut sum = [0u32; 3];
                for row in rows.clone() {
                    let start = row * frame.size.stride();
                    let bgr = &frame.pixels[start + columns.start * 3..start + columns.end * 3];
                    for p in bgr.chunks_exact(3) {
                        sum[0] += u32::from(p[0]);
                        sum[1] += u32::from(p[1]);
                        sum[2] += u32::from(p[2]);
                    }
                }
                let [blue, green, red] = sum.map(|s| ((s + count / 2) / count) as u8);
                pixel.copy_from_slice(&[red, green, blue]);
            }
        }
    }
}

/// The part of `0..full` that position `i` of `small` stands for; never empty.
fn span(i: usize, small: usize, full: usize) -> std::ops::Range<usize> {
    let start = i * full / small;
    start..((i + 1) * full / small).max(start + 1)
}
