//! How good a network's frames are, composited.

use super::QuantizeError;
use super::inputs::{Chosen, InputFrame};
use super::network::Network;
use crate::composite::{Compositor, CompositorChoice, Interpolation};
use crate::frame::{Rect, Size};
use crate::metrics::{Quality, QualityMeter};

/// The frames of the float network, and what compares others with them.
pub(super) struct Judge<'a> {
    frames: &'a [InputFrame],
    size: Size,
    compositor: Compositor,
    /// The pixels of each frame's rectangle.
    expected: Vec<Vec<u8>>,
}

impl<'a> Judge<'a> {
    /// Composites the frames that judge with the predictions of `original`.
    pub(super) fn new(chosen: &'a Chosen, original: &mut Network) -> Result<Self, QuantizeError> {
        let frames = &chosen.judged[..];
        let rects: Vec<Rect> = frames.iter().map(|frame| frame.rect).collect();
        let compositor = Compositor::new(
            CompositorChoice::Cpu,
            Interpolation::Linear,
            chosen.geometry,
            chosen.size,
            &rects,
        )?;
        let mut judge = Self { frames, size: chosen.size, compositor, expected: Vec::new() };
        judge.expected = judge.composited(original)?;
        Ok(judge)
    }

    /// How far the frames of `network` are from those of the float network, inside their rectangles:
    /// the rest is the same on both sides, and would only flatter.
    pub(super) fn quality(&self, network: &mut Network) -> Result<Quality, QuantizeError> {
        let mut meter = QualityMeter::default();
        let found = self.composited(network)?;
        for ((frame, expected), found) in self.frames.iter().zip(&self.expected).zip(&found) {
            meter.push(frame.index, expected, found);
        }
        meter.quality().ok_or_else(|| QuantizeError::Output {
            tensor: "output".to_owned(),
            found: "no frames".to_owned(),
            expected: "at least one".to_owned(),
        })
    }

    fn composited(&self, network: &mut Network) -> Result<Vec<Vec<u8>>, QuantizeError> {
        let predictions = network.predict(self.frames)?;
        let len = predictions.len() / self.frames.len().max(1);
        let mut scratch = self.compositor.scratch();
        let mut canvas = vec![0; self.size.bytes()];
        let mut composited = Vec::with_capacity(self.frames.len());
        for (frame, prediction) in self.frames.iter().zip(predictions.chunks(len.max(1))) {
            let InputFrame { crop, rect, .. } = frame;
            self.compositor.composite(&mut scratch, prediction, crop, *rect, &mut canvas)?;
            let rows = canvas.chunks(self.size.stride()).take(rect.y2).skip(rect.y1);
            composited.push(rows.flat_map(|row| &row[3 * rect.x1..3 * rect.x2]).copied().collect());
        }
        Ok(composited)
    }
}
