//! Frames of a package: those to calibrate on, and others that decide.

use std::sync::Arc;

use super::{JUDGED, QuantizeError, QuantizeOptions};
use crate::backend::BackendError;
use crate::batch::{Assembler, HostBatch, HostBuffer, Predictions};
use crate::dataset::{FrameStore, Package, StoreMode, StoreOptions};
use crate::frame::ModelGeometry;
use crate::verify::evenly_spaced;

/// Memory for the package's frames; more are decoded anew for each network that is judged.
const RAM_BUDGET: u64 = 1 << 30;

/// A package, and which of its frames are used.
pub(super) struct Scene {
    pub(super) store: FrameStore,
    pub(super) assembler: Assembler,
    /// Numbers of the frames to calibrate on, ascending.
    pub(super) calibrated: Vec<u64>,
    /// Numbers of those that decide, ascending.
    pub(super) judged: Vec<u64>,
}

/// What the network is given for one frame.
pub(super) struct InputFrame {
    /// 6 x S x S floats.
    pub(super) image: Vec<f32>,
    /// 32 x 16 x 16 floats.
    pub(super) audio: Vec<f32>,
}

impl Scene {
    /// Opens the package that `options` name.
    pub(super) fn open(
        options: &QuantizeOptions,
        geometry: ModelGeometry,
    ) -> Result<Self, QuantizeError> {
        let package = Arc::new(Package::open(&options.package, geometry, options.inputs)?);
        let (calibrated, judged) = split(package.frame_count(), options.frames);
        let assembler = Assembler::new(package.features()?);
        let store =
            StoreOptions { mode: StoreMode::Auto, ram_budget: RAM_BUDGET, decode_threads: 2 };
        let store = FrameStore::open(package, &store, &mut |_, _| ())?;
        Ok(Self { store, assembler, calibrated, judged })
    }

    /// The inputs of the frames to calibrate on.
    pub(super) fn inputs(&self, geometry: ModelGeometry) -> Result<Vec<InputFrame>, QuantizeError> {
        let none = Predictions::Host(HostBuffer::empty());
        let mut batch = HostBatch::new(geometry, 1, none).map_err(BackendError::from)?;
        let mut inputs = Vec::with_capacity(self.calibrated.len());
        let end = self.calibrated.last().map_or(0, |last| last + 1);
        for sample in self.store.source(0..end, 2)? {
            let sample = sample?;
            if self.calibrated.binary_search(&sample.index).is_ok() {
                self.assembler.push(&mut batch, sample);
                let (image, audio) = (batch.image(1).to_vec(), batch.audio(1).to_vec());
                inputs.push(InputFrame { image, audio });
                batch.clear();
            }
        }
        Ok(inputs)
    }
}

/// Numbers of the frames to calibrate on and of those to judge by, of a package of `count`: evenly
/// spaced, and different ones as long as there are two. The first are `wanted` where there are enough.
fn split(count: usize, wanted: usize) -> (Vec<u64>, Vec<u64>) {
    if count < 2 {
        return (vec![0], vec![0]);
    }
    let judged = JUDGED.min(wanted.max(1)).min(count / 2);
    let calibrated = evenly_spaced(count, wanted.max(1).min(count - judged));
    let rest: Vec<u64> = (0..count as u64).filter(|frame| !calibrated.contains(frame)).collect();
    let judged = evenly_spaced(rest.len(), judged).into_iter().map(|at| rest[at as usize]);
    (calibrated, judged.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_judge_are_not_calibrated_on() {
        assert_eq!(split(1, 32), (vec![0], vec![0]));
        assert_eq!(split(2, 32), (vec![0], vec![1]));
        assert_eq!(split(5, 32), (vec![0, 2, 4], vec![1, 3]));
        assert_eq!(split(10, 1), (vec![0], vec![1]));
        for (count, wanted) in [(100, 32), (40, 32), (33, 32), (7, 3), (523, 64), (3, 1)] {
            let (calibrated, judged) = split(count, wanted);
            assert!(judged.iter().all(|frame| !calibrated.contains(frame)), "{count} {wanted}");
            assert!(judged.iter().chain(&calibrated).all(|frame| *frame < count as u64));
            assert!(!judged.is_empty() && judged.len() <= JUDGED);
            assert!(calibrated.is_sorted() && judged.is_sorted());
            assert_eq!(calibrated.len(), wanted.min(count - judged.len()));
        }
    }
}
