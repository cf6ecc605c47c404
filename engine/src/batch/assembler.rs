//! Samples -> the network's inputs.

use super::{Converter, HostBatch};
use crate::dataset::{Features, InputPixels, Sample, Speech};
use crate::frame::ModelGeometry;

/// Floats in one frame's audio input: 16 feature rows of 512 values, seen as 32 x 16 x 16.
pub const AUDIO_LEN: usize = 16 * 512;

/// Fills host batches: three planes of the roi, three of the masked roi, a window of features.
#[derive(Debug)]
pub struct Assembler {
    features: Features,
    converter: Converter,
}

impl Assembler {
    /// An assembler that takes the audio windows from `features`.
    pub fn new(features: Features) -> Self {
        Self { features, converter: Converter::detect() }
    }

    /// Where the audio windows come from.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Appends `sample` to `batch`, which must have room.
    pub fn push(&self, batch: &mut HostBatch, sample: Sample) {
        self.append(batch, sample, |index, audio| {
            self.features.window(index, audio);
            Features::WINDOW_ROWS
        });
    }

    /// The same with the audio window from `speech`. `follows` says that the frame before was the last
    /// to be pushed, to this batch or to the one before, from the same speech.
    pub(crate) fn push_speech(
        &self,
        batch: &mut HostBatch,
        sample: Sample,
        speech: &Speech,
        follows: bool,
    ) {
        let on_device = batch.row_ends.is_some();
        self.append(batch, sample, |index, audio| {
            if on_device && follows && speech.is_a_row_a_frame() {
                speech.last_row(index, &mut audio[..Features::ROW]);
                return 1;
            }
            speech.window(index, audio);
            Features::WINDOW_ROWS
        });
    }

    /// `rows` writes the rows that the batch needs of a frame, a window or its end, and says how many.
    fn append(
        &self,
        batch: &mut HostBatch,
        sample: Sample,
        rows: impl FnOnce(u64, &mut [f32]) -> usize,
    ) {
        let slot = batch.samples.len();
        assert!(slot < batch.capacity, "a full batch was pushed to");
        let geometry = batch.geometry;
        let window = |first: usize| first * Features::ROW..first * Features::ROW + AUDIO_LEN;
        match &mut batch.row_ends {
            Some(ends) => {
                let first = ends.last().copied().unwrap_or(0);
                ends.push(first + rows(sample.index, &mut batch.audio[window(first)]));
            }
            None => {
                let len = geometry.image_len();
                self.images(geometry, &sample, &mut batch.image[slot * len..(slot + 1) * len]);
                rows(sample.index, &mut batch.audio[window(slot * Features::WINDOW_ROWS)]);
            }
        }
        batch.samples.push(sample);
    }

    fn images(&self, geometry: ModelGeometry, sample: &Sample, planes: &mut [f32]) {
        let side = geometry.side();
        let stride = geometry.roi().stride();
        let (roi_planes, masked_planes) = planes.split_at_mut(geometry.prediction_len());
        match sample.inputs() {
            InputPixels::Stored { roi, masked } => {
                self.converter.to_planes(roi, stride, side, roi_planes);
                self.converter.to_planes(masked, stride, side, masked_planes);
            }
            InputPixels::Derived { crop } => {
                let crop_stride = geometry.crop().stride();
                let first = ModelGeometry::BORDER * (crop_stride + 3);
                self.converter.to_planes(&crop[first..], crop_stride, side, roi_planes);
                masked_planes.copy_from_slice(roi_planes);
                black_out(geometry, masked_planes);
            }
        }
    }
}

/// Zeroes the masked rectangle in each of the three planes.
fn black_out(geometry: ModelGeometry, planes: &mut [f32]) {
    let (side, mask) = (geometry.side(), geometry.mask());
    for plane in planes.chunks_exact_mut(side * side) {
        for row in plane.chunks_exact_mut(side).take(mask.y2).skip(mask.y1) {
            row[mask.x1..mask.x2].fill(0.0);
        }
    }
}
