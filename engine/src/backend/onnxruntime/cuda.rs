//! A model on ONNX Runtime's CUDA provider.

use std::path::{Path, PathBuf};

use ort::environment::Environment;

use super::environment::{environment, version};
use super::provider;
use super::session::tensor_infos;
use crate::backend::lanes::{LanePlan, Lanes, MAX_LANES};
use crate::backend::{Backend, BackendError, BatchLimit, DevicePlan, ModelSpec};
use crate::batch::{Completed, HostBatch, InFlight};
use crate::cuda::{Context, DeviceInfo, SessionError, SessionNetwork, SessionTensors, Stream};
use crate::frame::ModelGeometry;
use crate::onnx::Model;

/// How to run a model on a GPU.
#[derive(Clone, Debug)]
pub struct OnnxRuntimeCudaOptions {
    /// The library, that of the `onnxruntime-gpu` package.
    pub library: PathBuf,
    /// The GPU, counted from 0.
    pub device: usize,
    /// Threads that work on one operator which the GPU does not compute; at least 1.
    pub threads: usize,
    /// Batches that are under way on the device at one time, 1 to [`OnnxRuntimeCuda::MAX_LANES`].
    /// Each has a session and with that a copy of the weights. Two hide the copies behind the
    /// computing.
    pub lanes: usize,
    /// The largest batch that will be run. Smaller ones run at the size that they were allocated for,
    /// however many frames they hold: cuDNN looks for its fastest algorithms for every new size.
    pub largest_batch: usize,
}

/// Sessions on a GPU, in as many lanes as batches may be in flight. Where it is
/// [told to](Backend::composite_on_device), it also assembles the inputs and composites there.
pub struct OnnxRuntimeCuda {
    sessions: Sessions,
    spec: ModelSpec,
    lanes: Lanes<SessionNetwork>,
}

/// What is said where the driver has no GPU to give; its own words follow.
const NO_GPU: &str = "expected one that starts; `engine-cli doctor` says what there is, and \
                      --provider cpu works without any";

/// What makes a lane's session.
struct Sessions {
    environment: Environment,
    library: PathBuf,
    model: PathBuf,
    threads: usize,
    device: i32,
    tensors: SessionTensors,
}

impl Sessions {
    fn make(&self, stream: &Stream) -> Result<SessionNetwork, BackendError> {
        let Self { environment, library, model, threads, device, tensors } = self;
        SessionNetwork::new(*tensors, *device, stream, |cuda| {
            let session = provider::session(environment, library, model, *threads, cuda)?;
            let (inputs, outputs) =
                (tensor_infos(session.inputs()), tensor_infos(session.outputs()));
            ModelSpec::check(model, &inputs, &outputs)?;
            Ok(session)
        })
    }
}

impl OnnxRuntimeCuda {
    /// The most lanes; more would only take memory.
    pub const MAX_LANES: usize = MAX_LANES;

    /// Loads the library and the model, and checks that the engine can feed it.
    ///
    /// # Errors
    /// When the library cannot be loaded or lacks the provider, the provider does not start, the file
    /// is not a model, its inputs and outputs are not the expected ones, or memory on the device
    /// cannot be had.
    pub fn open(model: &Path, options: &OnnxRuntimeCudaOptions) -> Result<Self, BackendError> {
        let spec = ModelSpec::declared(model, &Model::load(model)?)?;
        let OnnxRuntimeCudaOptions { library, device, threads, lanes, largest_batch } = options;
        provider::check(library)?;
        let context = Context::new(*device).map_err(|error| BackendError::Provider {
            library: library.clone(),
            problem: NO_GPU.to_owned(),
            source: Some(error.into()),
        })?;
        provider::preload(library);
        let (least, most) = match spec.batch_limit() {
            BatchLimit::Fixed(n) => (n, n),
            BatchLimit::Any | BatchLimit::UpTo(_) => (1, (*largest_batch).max(1)),
        };
        let geometry = spec.geometry();
        let side = geometry.side();
        let sessions = Sessions {
            environment: environment(library)?,
            library: library.clone(),
            model: model.to_owned(),
            threads: *threads,
            device: context.device().ordinal as i32,
            tensors: SessionTensors {
                names: [ModelSpec::IMAGE, ModelSpec::AUDIO, ModelSpec::OUTPUT],
                frames: [[6, side, side], [32, 16, 16], [3, side, side]],
            },
        };
        let plan = LanePlan { geometry, count: *lanes, least, most, whole: true, graphs: None };
        let lanes = Lanes::new(&context, plan, &|stream| sessions.make(stream))?;
        Ok(Self { sessions, spec, lanes })
    }

    /// The GPU.
    pub fn device(&self) -> &DeviceInfo {
        self.lanes.device()
    }
}

impl From<SessionError> for BackendError {
    fn from(SessionError { attempt, source }: SessionError) -> Self {
        Self::Run { attempt, source: source.into() }
    }
}

impl Backend for OnnxRuntimeCuda {
    fn name(&self) -> &'static str {
        "onnxruntime"
    }

    fn provider(&self) -> &str {
        "CUDAExecutionProvider"
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
        self.sessions.threads
    }

    fn max_in_flight(&self, _batch: usize) -> usize {
        self.lanes.count()
    }

    fn can_composite(&self) -> bool {
        true
    }

    fn composite_on_device(&mut self, plan: &DevicePlan<'_>) -> Result<String, BackendError> {
        self.lanes.composite_on_device(plan, &|stream| self.sessions.make(stream))
    }

    fn composite_on_host(&mut self) -> Result<(), BackendError> {
        self.lanes.composite_on_host(&|stream| self.sessions.make(stream))
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        self.spec.require_batch(capacity)?;
        self.lanes.allocate(capacity)
    }

    fn enqueue(&mut self, batch: HostBatch) -> Result<InFlight, BackendError> {
        self.lanes.enqueue(batch)
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        self.lanes.wait(in_flight)
    }
}
