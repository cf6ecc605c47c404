//! Frames of a package: those that are calibrated on, and others that decide.

use std::sync::Arc;

use super::{JUDGED, QuantizeError, QuantizeOptions};
use crate::batch::{Assembler, HostBatch, HostBuffer, Predictions};
use crate::dataset::{FrameStore, Package, StoreMode, StoreOptions};
use crate::frame::{ModelGeometry, Rect, Size};
use crate::verify::evenly_spaced;

/// What the network is given for one frame, and what its prediction goes into.
pub(super) struct InputFrame {
    /// Number of the output frame.
    pub(super) index: u64,
    /// 6 x S x S floats.
    pub(super) image: Vec<f32>,
    /// 32 x 16 x 16 floats.
    pub(super) audio: Vec<f32>,
    /// The face crop, (S+8) x (S+8) BGR pixels.
    pub(super) crop: Vec<u8>,
    /// Where it lies in the frame.
    pub(super) rect: Rect,
}

/// The frames of a package that are used.
pub(super) struct Chosen {
    pub(super) geometry: ModelGeometry,
    /// Size of the frames.
    pub(super) size: Size,
    pub(super) calibrated: Vec<InputFrame>,
    pub(super) judged: Vec<InputFrame>,
}

/// Reads the frames that `options` ask for.
pub(super) fn choose(
    options: &QuantizeOptions,
    geometry: ModelGeometry,
) -> Result<Chosen, QuantizeError> {
    let package = Arc::new(Package::open(&options.package, geometry, options.inputs)?);
    let (calibrated, judged) = split(package.frame_count(), options.frames);
    let assembler = Assembler::new(package.features()?);
    let store = StoreOptions { mode: StoreMode::Stream, ram_budget: 0, decode_threads: 1 };
    let store = FrameStore::open(Arc::clone(&package), &store, &mut |_, _| ())?;
    let last = calibrated.iter().chain(&judged).max().map_or(0, |last| last + 1);
    let none = Predictions::Host(HostBuffer::empty());
    let mut batch =
        HostBatch::new(geometry, 1, none).map_err(crate::backend::BackendError::from)?;
    let mut frames: [Vec<InputFrame>; 2] = Default::default();
    for sample in store.source(0..last, 2)? {
        let sample = sample?;
        let wanted = [&calibrated, &judged].map(|list| list.contains(&sample.index));
        if wanted == [false; 2] {
            continue;
        }
        let (index, rect) = (sample.index, package.rects()[sample.frame]);
        let crop = sample.crop().to_vec();
        batch.clear();
        assembler.push(&mut batch, sample);
        for (frames, wanted) in frames.iter_mut().zip(wanted) {
            if wanted {
                let (image, audio) = (batch.image(1).to_vec(), batch.audio(1).to_vec());
                frames.push(InputFrame { index, image, audio, crop: crop.clone(), rect });
            }
        }
    }
    let [calibrated, judged] = frames;
    Ok(Chosen { geometry, size: package.frame_size(), calibrated, judged })
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
