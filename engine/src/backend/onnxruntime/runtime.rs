//! A model on ONNX Runtime's CPU provider.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ort::session::{OutputSelector, RunOptions, Session};
use ort::value::{TensorRef, TensorValueType};

use super::environment::{environment, version};
use super::outputs::{Outputs, Prediction};
use super::session::{open_session, tensor_infos};
use crate::backend::{Backend, BackendError, BatchLimit, LibraryError, ModelSpec};
use crate::batch::{Completed, HostBatch, HostBuffer, InFlight, Predictions, Span};
use crate::frame::ModelGeometry;
use crate::onnx::Model;

/// How to run a model on the processor.
#[derive(Clone, Debug)]
pub struct OnnxRuntimeOptions {
    /// The library, from [`find_onnxruntime`](crate::backend::find_onnxruntime).
    pub library: PathBuf,
    /// Threads that work on one operator; at least 1.
    pub threads: usize,
}

/// A session. It computes while it is waited for, so one batch can be in flight.
pub struct OnnxRuntime {
    spec: ModelSpec,
    threads: usize,
    outputs: Outputs,
    session: Session,
}

impl OnnxRuntime {
    /// Loads the library and the model, and checks that the engine can feed it.
    ///
    /// # Errors
    /// When the library cannot be loaded, the file is not a model, or its inputs and outputs are not
    /// the expected ones.
    pub fn open(model: &Path, options: &OnnxRuntimeOptions) -> Result<Self, BackendError> {
        // What the file declares is checked first: the runtime's own words for a model that is
        // missing, cut short or of other shapes are riddles.
        ModelSpec::declared(model, &Model::load(model)?)?;
        let session = open_session(model, options)?;
        let (inputs, outputs) = (tensor_infos(session.inputs()), tensor_infos(session.outputs()));
        let spec = ModelSpec::check(model, &inputs, &outputs)?;
        Ok(Self { spec, threads: options.threads, outputs: Outputs::default(), session })
    }

    /// What is known about the model.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Version and build of the library at `library`.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn library_version(library: &Path) -> Result<&'static str, LibraryError> {
        environment(library)?;
        Ok(ort::info())
    }

    fn run(&mut self, batch: &HostBatch) -> Result<Prediction, BackendError> {
        // Where a short last batch runs at full size, what the spare slots predict is not read.
        let frames = match self.spec.batch_limit() {
            BatchLimit::Fixed(n) => n,
            BatchLimit::Any | BatchLimit::UpTo(_) => batch.len(),
        };
        let side = self.spec.geometry().side();
        let image = TensorRef::from_array_view(([frames, 6, side, side], batch.image(frames)))
            .map_err(failed("binding the image input"))?;
        let audio = TensorRef::from_array_view(([frames, 32, 16, 16], batch.audio(frames)))
            .map_err(failed("binding the audio input"))?;
        let inputs = ort::inputs![ModelSpec::IMAGE => image, ModelSpec::AUDIO => audio];
        // An output that is given beforehand is what IoBinding is for, too. Its inputs, however,
        // are copied where they are on the right device already, in which ort 2.0.0-rc.15 waits
        // for itself for ever.
        let shape = [frames, 3, side, side];
        let options = self
            .outputs
            .take(shape)
            .and_then(|tensor| {
                let only = OutputSelector::no_default().with(ModelSpec::OUTPUT);
                Ok(RunOptions::new()?.with_outputs(only.preallocate(ModelSpec::OUTPUT, tensor)))
            })
            .map_err(failed("preparing its output"))?;
        let mut outputs = self
            .session
            .run_with_options(inputs, &options)
            .map_err(failed("running the network"))?;
        let expected = shape.map(|size| size as i64);
        let unlike =
            |found: Vec<i64>| BackendError::OutputShape { found, expected: expected.into() };
        let output = outputs
            .remove(ModelSpec::OUTPUT)
            .and_then(|value| value.downcast::<TensorValueType<f32>>().ok())
            .ok_or_else(|| unlike(vec![]))?;
        match output.shape()[..] == expected {
            true => Ok(self.outputs.lend(output)),
            false => Err(unlike(output.shape().to_vec())),
        }
    }
}

/// What to make of an error of the runtime's.
fn failed(attempt: &'static str) -> impl FnOnce(ort::Error) -> BackendError {
    move |error| BackendError::Run { attempt, source: error.into() }
}

impl Backend for OnnxRuntime {
    fn name(&self) -> &'static str {
        "onnxruntime"
    }

    fn provider(&self) -> &str {
        "CPUExecutionProvider"
    }

    fn library(&self) -> Option<String> {
        Some(version())
    }

    fn geometry(&self) -> ModelGeometry {
        self.spec.geometry()
    }

    fn batch_limit(&self) -> BatchLimit {
        self.spec.batch_limit()
    }

    fn cpu_threads(&self) -> usize {
        self.threads
    }

    fn max_in_flight(&self, _batch: usize) -> usize {
        1
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        self.spec.require_batch(capacity)?;
        // The predictions arrive in memory of the runtime's own.
        let none = Predictions::Host(HostBuffer::empty());
        Ok(HostBatch::new(self.spec.geometry(), capacity, none)?)
    }

    fn enqueue(&mut self, batch: HostBatch) -> Result<InFlight, BackendError> {
        Ok(batch.into_flight(0))
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        let start = Instant::now();
        let prediction = self.run(in_flight.batch())?;
        let predictions = Predictions::Backend(Box::new(prediction));
        Ok(in_flight.complete(Span::since(start), Some(predictions)))
    }
}
