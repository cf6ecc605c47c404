//! Two backends over the same frames of a package, compared byte by byte.
//!
//! The backends work one after the other, and only predicted bytes are kept, so that two sessions
//! need not be in memory at one time: [`predict`] with the one, [`predict`] with the other,
//! [`difference`]. What becomes of a prediction in a frame is compared by [`quality`](crate::quality).

use crate::backend::{Backend, BackendError, BatchLimit};
use crate::batch::{Assembler, HostBatch, Predicted};
use crate::composite::{CompositeError, to_byte};
use crate::dataset::{DatasetError, FrameStore, Sample};
use crate::frame::ModelGeometry;
use crate::quality::{Quality, QualityMeter};

/// Why backends could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Reading the package.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Running a network.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Compositing.
    #[error(transparent)]
    Composite(#[from] CompositeError),
    /// The predictions are of different sizes.
    #[error(
        "the networks differ in size: {reference} x {reference} and {candidate} x {candidate} \
         pixels; expected two forms of one network"
    )]
    Geometry {
        /// Side of the reference's output.
        reference: usize,
        /// Side of the candidate's output.
        candidate: usize,
    },
    /// The predictions are of different frames, or there are none.
    #[error("expected predictions of the same frames, at least one, from both networks")]
    Frames,
    /// Somebody asked to stop.
    #[error("the comparison was cancelled")]
    Cancelled,
}

/// Predicted regions as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictedFrames {
    geometry: ModelGeometry,
    /// Number of the output frame, and its 3 x S x S bytes (BGR planes).
    frames: Vec<(u64, Vec<u8>)>,
}

impl PredictedFrames {
    /// Numbers of the output frames and their 3 x S x S bytes (BGR planes), in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.frames.iter().map(|(index, bytes)| (*index, &bytes[..]))
    }
}

/// Numbers of `count` frames, evenly spaced over a package of `frame_count`, the first and the last
/// among them; all of them where there are no more than that.
pub fn evenly_spaced(frame_count: usize, count: usize) -> Vec<u64> {
    let (frame_count, count) = (frame_count as u64, count.min(frame_count) as u64);
    match count {
        0 => Vec::new(),
        1 => vec![0],
        // Widened, because a hostile count times a position could overflow.
        _ => (0..count)
            .map(|k| {
                let position = u128::from(k) * u128::from(frame_count - 1) / u128::from(count - 1);
                position as u64
            })
            .collect(),
    }
}

/// Runs `frames` (ascending numbers of output frames) of the package through `backend`, at its own
/// batch where that is fixed and else `batch` at a time, at least 1.
///
/// The inputs are those of a run: the store's samples, filled in by `assembler`. Bytes are what the
/// compositor makes of a prediction: `trunc(clamp(p * 255, 0, 255))`, NaN is 0. Every frame up to
/// the last one asked for is decoded where the store streams. `cancelled` is looked at before each
/// frame.
///
/// # Errors
/// When the store or the backend fails, `frames` is empty or not ascending, or somebody asked to
/// stop.
pub fn predict(
    backend: &mut dyn Backend,
    store: &FrameStore,
    assembler: &Assembler,
    frames: &[u64],
    batch: usize,
    cancelled: &dyn Fn() -> bool,
) -> Result<PredictedFrames, VerifyError> {
    let mut predicted = Vec::with_capacity(frames.len());
    visit(backend, store, assembler, frames, batch, cancelled, &mut |sample, floats| {
        predicted.push((sample.index, floats.iter().map(|&value| to_byte(value)).collect()));
        Ok(())
    })?;
    Ok(PredictedFrames { geometry: backend.geometry(), frames: predicted })
}

/// Takes a sample and the 3 x S x S floats (B, G, R planes) that were predicted for it.
pub type Visitor<'a> = dyn FnMut(&Sample, &[f32]) -> Result<(), VerifyError> + 'a;

/// The same for whoever wants the predictions themselves, which `each` takes in order.
///
/// # Errors
/// As [`predict`], and what `each` fails with.
pub fn visit(
    backend: &mut dyn Backend,
    store: &FrameStore,
    assembler: &Assembler,
    frames: &[u64],
    batch: usize,
    cancelled: &dyn Fn() -> bool,
    each: &mut Visitor<'_>,
) -> Result<(), VerifyError> {
    let ascending = frames.windows(2).all(|pair| pair[0] < pair[1]);
    let last = frames.last().filter(|_| ascending).ok_or(VerifyError::Frames)?;
    let capacity = match backend.batch_limit() {
        BatchLimit::Fixed(n) => n,
        _ => batch.max(1),
    };
    let mut wanted = frames.iter().peekable();
    let mut empty = Some(backend.allocate(capacity)?);
    // The batch holds samples while the next one is waited for.
    for sample in store.source(0..last.saturating_add(1), capacity + 1)? {
        if cancelled() {
            return Err(VerifyError::Cancelled);
        }
        let sample = sample?;
        if wanted.next_if_eq(&&sample.index).is_none() {
            continue;
        }
        let mut batch = match empty.take() {
            Some(batch) => batch,
            None => backend.allocate(capacity)?,
        };
        assembler.push(&mut batch, sample);
        empty = Some(match batch.len() == capacity || wanted.peek().is_none() {
            true => run(backend, batch, each)?,
            false => batch,
        });
    }
    Ok(())
}

/// Runs one batch and hands over what it predicts. Returns it empty.
fn run(
    backend: &mut dyn Backend,
    batch: HostBatch,
    each: &mut Visitor<'_>,
) -> Result<HostBatch, VerifyError> {
    let in_flight = backend.enqueue(batch)?;
    let mut completed = backend.wait(in_flight)?;
    let (samples, predictions) = completed.split();
    for (slot, sample) in samples.iter().enumerate() {
        let Predicted::Planes(floats) = predictions.get(slot, sample.index) else {
            let misused = BackendError::Misused {
                attempt: "predictions were to be compared",
                state: "they are composited on the GPU",
            };
            return Err(misused.into());
        };
        each(sample, floats)?;
    }
    let mut batch = completed.into_batch();
    batch.clear();
    Ok(batch)
}

/// How far the candidate's predictions are from the reference's.
///
/// # Errors
/// [`VerifyError::Geometry`] and [`VerifyError::Frames`].
pub fn difference(
    reference: &PredictedFrames,
    candidate: &PredictedFrames,
) -> Result<Quality, VerifyError> {
    if reference.geometry != candidate.geometry {
        return Err(VerifyError::Geometry {
            reference: reference.geometry.side(),
            candidate: candidate.geometry.side(),
        });
    }
    if !reference.iter().map(|(index, _)| index).eq(candidate.iter().map(|(index, _)| index)) {
        return Err(VerifyError::Frames);
    }
    let mut meter = QualityMeter::default();
    for ((index, a), (_, b)) in reference.iter().zip(candidate.iter()) {
        meter.push(index, a, b);
    }
    meter.quality().ok_or(VerifyError::Frames)
}

/// Runs `frames` through both backends and compares what they predict; see [`predict`].
///
/// The reference takes one frame at a time and the candidate two where they can, so that frames
/// which a batch mixes up show.
///
/// # Errors
/// As [`predict`] and [`difference`].
pub fn compare(
    reference: &mut dyn Backend,
    candidate: &mut dyn Backend,
    store: &FrameStore,
    assembler: &Assembler,
    frames: &[u64],
    cancelled: &dyn Fn() -> bool,
) -> Result<Quality, VerifyError> {
    if reference.geometry() != candidate.geometry() {
        return Err(VerifyError::Geometry {
            reference: reference.geometry().side(),
            candidate: candidate.geometry().side(),
        });
    }
    let expected = predict(reference, store, assembler, frames, 1, cancelled)?;
    let found = predict(candidate, store, assembler, frames, 2, cancelled)?;
    difference(&expected, &found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_from_the_first_to_the_last() {
        assert_eq!(evenly_spaced(100, 4), [0, 33, 66, 99]);
        assert_eq!(evenly_spaced(3, 16), [0, 1, 2]);
        assert_eq!(evenly_spaced(9, 1), [0]);
        assert_eq!(evenly_spaced(0, 4), [0_u64; 0]);
        assert_eq!(evenly_spaced(usize::MAX, 2), [0, usize::MAX as u64 - 1]);
    }
}
