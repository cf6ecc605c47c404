//! TensorRT on an NVIDIA GPU.

mod plan;

use std::path::Path;
use std::sync::Arc;

use engine_sys::{Engine, Library, Log};

use self::plan::Plan;
use super::lanes::{LanePlan, Lanes, MAX_LANES};
use super::{Backend, BackendError, BatchLimit, DevicePlan, ModelSpec};
use crate::batch::{Completed, HostBatch, InFlight};
use crate::cuda::{Context, DeviceInfo, EngineNetwork, Stream};
use crate::frame::ModelGeometry;

/// How to run an engine.
#[derive(Clone)]
pub struct TensorRtOptions {
    /// The library, of the flavour that the engine was built with.
    pub library: Library,
    /// Takes warnings, such as that CUDA graphs do not work here.
    pub log: Arc<dyn Log>,
    /// Batches that are under way on the device at one time, 1 to [`TensorRt::MAX_LANES`]. Two hide
    /// the copies behind the computing.
    pub lanes: usize,
    /// Whether to replay the network as a CUDA graph, which spares the CPU the launches.
    pub graphs: bool,
    /// Whether the engine may bring code that runs in this process, as version-compatible ones do.
    pub host_code: bool,
}

/// An engine on a GPU, in as many lanes as batches may be in flight, each with an execution context.
/// Where it is [told to](Backend::composite_on_device), it also assembles the inputs and composites
/// there.
pub struct TensorRt {
    plan: Plan,
    // Dropped before the engine that the lanes run.
    lanes: Lanes<EngineNetwork>,
    engine: Engine,
}

impl TensorRt {
    /// The most lanes; more would only take memory.
    pub const MAX_LANES: usize = MAX_LANES;

    /// Loads the engine at `path` on the GPU of `context`.
    ///
    /// # Errors
    /// When the file cannot be read, TensorRT does not take it on this machine, its tensors are not
    /// what the engine can feed, or memory on the device cannot be had.
    pub fn open(
        path: &Path,
        context: &Context,
        options: &TensorRtOptions,
    ) -> Result<Self, BackendError> {
        let read = |source| BackendError::Read { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(read)?;
        Self::from_bytes(path, &bytes, context, options)
    }

    /// The same for an engine that was read from `path` already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(
        path: &Path,
        bytes: &[u8],
        context: &Context,
        options: &TensorRtOptions,
    ) -> Result<Self, BackendError> {
        context.bind()?;
        let engine = Engine::deserialize(&options.library, bytes, options.host_code)?;
        let plan = Plan::check(path, &engine)?;
        let lanes = LanePlan {
            geometry: plan.spec.geometry(),
            count: options.lanes,
            least: plan.least,
            most: plan.most,
            whole: false,
            graphs: options.graphs.then(|| Arc::clone(&options.log)),
        };
        let lanes = Lanes::new(context, lanes, &network(&engine, &plan))?;
        Ok(Self { plan, lanes, engine })
    }

    /// The GPU.
    pub fn device(&self) -> &DeviceInfo {
        self.lanes.device()
    }

    /// What is known about the network.
    pub fn spec(&self) -> &ModelSpec {
        &self.plan.spec
    }
}

/// Makes execution contexts of `engine`.
fn network(
    engine: &Engine,
    plan: &Plan,
) -> impl Fn(&Stream) -> Result<EngineNetwork, BackendError> {
    |stream| Ok(EngineNetwork::new(engine, plan.tensors, stream)?)
}

impl Backend for TensorRt {
    fn name(&self) -> &'static str {
        "tensorrt"
    }

    fn provider(&self) -> &str {
        &self.lanes.device().name
    }

    fn library(&self) -> Option<String> {
        let library = self.engine.library();
        Some(format!("{}, version {}", library.flavour().title(), library.version()))
    }

    fn geometry(&self) -> ModelGeometry {
        self.plan.spec.geometry()
    }

    fn batch_limit(&self) -> BatchLimit {
        self.plan.spec.batch_limit()
    }

    fn cpu_threads(&self) -> usize {
        0
    }

    fn max_in_flight(&self, _batch: usize) -> usize {
        self.lanes.count()
    }

    fn can_composite(&self) -> bool {
        true
    }

    fn composite_on_device(&mut self, plan: &DevicePlan<'_>) -> Result<String, BackendError> {
        self.lanes.composite_on_device(plan, &network(&self.engine, &self.plan))
    }

    fn composite_on_host(&mut self) -> Result<(), BackendError> {
        self.lanes.composite_on_host(&network(&self.engine, &self.plan))
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        self.plan.spec.require_batch(capacity)?;
        self.lanes.allocate(capacity)
    }

    fn enqueue(&mut self, batch: HostBatch) -> Result<InFlight, BackendError> {
        self.lanes.enqueue(batch)
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        self.lanes.wait(in_flight)
    }
}
