//! A network on ONNX Runtime, whichever tensors it gives.

use ort::session::Session;
use ort::value::TensorRef;

use super::QuantizeError;
use super::scene::InputFrame;
use crate::backend::{BackendError, BatchLimit, ModelSpec, OnnxRuntimeOptions, session_of};
use crate::frame::ModelGeometry;
use crate::onnx::Model;

/// A session over a network in memory.
pub(super) struct Network {
    session: Session,
    geometry: ModelGeometry,
    /// Frames of a run.
    batch: usize,
}

impl Network {
    /// A session for `model`, which has the inputs of `spec`. With `fast` the runtime makes the best of
    /// the graph, as where frames are rendered; without, it is there sooner.
    pub(super) fn open(
        model: &Model,
        spec: &ModelSpec,
        options: &OnnxRuntimeOptions,
        fast: bool,
    ) -> Result<Self, BackendError> {
        let session = session_of(&model.to_bytes(), spec.path(), options, fast)?;
        let batch = match spec.batch_limit() {
            BatchLimit::Fixed(frames) => frames,
            _ => 1,
        };
        Ok(Self { session, geometry: spec.geometry(), batch })
    }

    /// The predictions of `frames`, one after the other.
    pub(super) fn predict(&mut self, frames: &[InputFrame]) -> Result<Vec<f32>, QuantizeError> {
        let len = self.geometry.prediction_len();
        let mut predictions = Vec::with_capacity(frames.len() * len);
        for frames in frames.chunks(self.batch) {
            self.run(frames, |name, _, values| {
                if name == ModelSpec::OUTPUT {
                    let found = values.get(..frames.len() * len);
                    let found = found.ok_or_else(|| QuantizeError::Output {
                        tensor: name.to_owned(),
                        found: format!("{} floats", values.len()),
                        expected: format!("{} for {} frames", frames.len() * len, frames.len()),
                    })?;
                    predictions.extend_from_slice(found);
                }
                Ok::<_, QuantizeError>(())
            })?;
        }
        Ok(predictions)
    }

    /// Frames of a run.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Runs at most a batch of `frames` and shows every output: name, shape, values. Where the batch
    /// is fixed to more, the last frame is repeated.
    pub(super) fn run<E: From<QuantizeError>>(
        &mut self,
        frames: &[InputFrame],
        mut show: impl FnMut(&str, &[i64], &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |attempt| {
            move |error: ort::Error| {
                QuantizeError::from(BackendError::Run { attempt, source: error.into() })
            }
        };
        let slots = || (0..self.batch).map(|slot| &frames[slot.min(frames.len() - 1)]);
        let image: Vec<f32> = slots().flat_map(|frame| &frame.image).copied().collect();
        let audio: Vec<f32> = slots().flat_map(|frame| &frame.audio).copied().collect();
        let side = self.geometry.side();
        let image = TensorRef::from_array_view(([self.batch, 6, side, side], &image[..]))
            .map_err(failed("binding the image input"))?;
        let audio = TensorRef::from_array_view(([self.batch, 32, 16, 16], &audio[..]))
            .map_err(failed("binding the audio input"))?;
        let inputs = ort::inputs![ModelSpec::IMAGE => image, ModelSpec::AUDIO => audio];
        let outputs = self.session.run(inputs).map_err(failed("running the network"))?;
        for (name, value) in outputs.iter() {
            let (shape, values) =
                value.try_extract_tensor::<f32>().map_err(failed("reading an output"))?;
            show(name, shape, values)?;
        }
        Ok(())
    }
}
