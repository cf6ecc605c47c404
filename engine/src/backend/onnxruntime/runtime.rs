//! A model on ONNX Runtime.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ort::session::{OutputSelector, RunOptions, Session};
use ort::value::{TensorRef, TensorValueType};

use super::Provider;
use super::environment::environment;
use super::outputs::{Outputs, Prediction};
use super::session::tensor_infos;
use crate::backend::{Backend, BackendError, BatchLimit, LibraryError, ModelSpec};
#[cfg(feature = "cuda")]
use crate::batch::AUDIO_LEN;
use crate::batch::{Completed, HostBatch, HostBuffer, InFlight, Predictions, Span};
#[cfg(feature = "cuda")]
use crate::cuda::{Context, PinnedBuffer, PinnedKind};
use crate::frame::ModelGeometry;
use crate::onnx::Model;

/// How to run a model on ONNX Runtime.
#[derive(Clone, Debug)]
pub struct OnnxRuntimeOptions {
    /// The library, from [`find_onnxruntime`](crate::backend::find_onnxruntime).
    pub library: PathBuf,
    /// Threads that work on one operator; at least 1. On a GPU one is enough: it waits.
    pub threads: usize,
    /// What computes.
    pub provider: Provider,
}

/// A session. It computes while it is waited for, so one batch can be in flight.
pub struct OnnxRuntime {
    spec: ModelSpec,
    threads: usize,
    provider: Provider,
    outputs: Outputs,
    session: Session,
    /// Where the network runs on a GPU: from pinned inputs, which are uploaded without a detour.
    #[cfg(feature = "cuda")]
    gpu: Option<Context>,
}

impl OnnxRuntime {
    /// Loads the library and the model, and checks that the engine can feed it.
    ///
    /// # Errors
    /// When the library cannot be loaded or lacks the provider, the provider does not start, the
    /// file is not a model, or its inputs and outputs are not the expected ones.
    pub fn open(model: &Path, options: &OnnxRuntimeOptions) -> Result<Self, BackendError> {
        // What the file declares is checked first: the runtime's own words for a model that is
        // missing, cut short or of other shapes are riddles.
        ModelSpec::declared(model, &Model::load(model)?)?;
        let OnnxRuntimeOptions { library, threads, provider } = options;
        provider.check(library)?;
        #[cfg(feature = "cuda")]
        let gpu = match *provider {
            Provider::Cpu => None,
            Provider::Cuda { device } => Some(Context::new(usize::try_from(device).unwrap_or(0))?),
        };
        let environment = environment(library)?;
        let session = provider.session(&environment, library, model, *threads)?;
        let (inputs, outputs) = (tensor_infos(session.inputs()), tensor_infos(session.outputs()));
        let spec = ModelSpec::check(model, &inputs, &outputs)?;
        let outputs = Outputs::new(&session, *provider).map_err(failed("preparing its output"))?;
        Ok(Self {
            spec,
            threads: *threads,
            provider: *provider,
            outputs,
            session,
            #[cfg(feature = "cuda")]
            gpu,
        })
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
        let frames = match (self.spec.batch_limit(), self.provider) {
            (BatchLimit::Fixed(n), _) => n,
            (_, Provider::Cpu) => batch.len(),
            // Every new size costs cuDNN a search for its fastest algorithms.
            (_, Provider::Cuda { .. }) => batch.capacity(),
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
        self.provider.name()
    }

    fn library(&self) -> Option<String> {
        // The library does not tell its version through these bindings, but what it was built of.
        let build = ort::info();
        Some(format!("ONNX Runtime ({})", build.strip_prefix("ORT Build Info: ").unwrap_or(build)))
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
        let geometry = self.spec.geometry();
        #[cfg(feature = "cuda")]
        if let Some(context) = &self.gpu {
            let pinned = |floats| {
                PinnedBuffer::zeroed(context, floats, PinnedKind::Cached).map(HostBuffer::pinned)
            };
            let (image, audio) =
                (pinned(capacity * geometry.image_len())?, pinned(capacity * AUDIO_LEN)?);
            return Ok(HostBatch::with_buffers(geometry, capacity, image, audio, none));
        }
        Ok(HostBatch::new(geometry, capacity, none)?)
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
