//! TensorRT on an NVIDIA GPU.

mod plan;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_sys::{Engine, Library, Log, Severity};

use self::plan::Plan;
use super::{Backend, BackendError, BatchLimit, DevicePlan, ModelSpec};
use crate::batch::{
    AUDIO_LEN, Completed, DeviceParts, DeviceTimes, HostBatch, HostBuffers, InFlight, Patches,
    Predictions, Span,
};
use crate::cuda::kernels::Kernels;
use crate::cuda::{
    Context, DeviceInfo, Floats, JOB_WORDS, Lane, PinnedKind, Queue, Regions, ResidentPlan, Stage,
    Staging,
};
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

/// An engine on a GPU, in as many lanes as batches may be in flight. Where it is
/// [told to](Backend::composite_on_device), it also assembles the inputs and composites there.
///
/// A lane (execution context, stream, device buffers, events, graphs) stays here. Pinned host
/// batches travel: their buffers belong to a lane while the device may touch them, and go back into
/// the batch when it is done, so that no lane is held while the CPU composites.
pub struct TensorRt {
    plan: Plan,
    /// How many lanes there are.
    count: usize,
    lanes: Vec<Slot>,
    /// The frames on the device, where it composites.
    regions: Option<Regions>,
    engine: Engine,
    /// The lane that the next batch takes; batches go round, so the oldest is the one after it.
    next: usize,
    graphs: bool,
    /// When the device was done with the batch before.
    previous_end: Instant,
    context: Context,
    log: Arc<dyn Log>,
}

/// A lane and what has run in it.
struct Slot {
    lane: Lane<Stage>,
    /// The regions that the batch that is under way uses.
    held: Vec<usize>,
    /// What is sent there and back for it, in bytes.
    bytes: [u64; 2],
    /// Batch sizes that have run without a graph, which a capture needs to have happened.
    warm: Vec<usize>,
    /// When the batch that is under way was enqueued.
    started: Instant,
}

impl TensorRt {
    /// The most lanes; more would only take memory.
    pub const MAX_LANES: usize = 8;

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
        let mut backend = Self {
            plan,
            count: options.lanes.clamp(1, Self::MAX_LANES),
            lanes: Vec::new(),
            regions: None,
            engine,
            next: 0,
            graphs: options.graphs,
            previous_end: Instant::now(),
            context: context.clone(),
            log: Arc::clone(&options.log),
        };
        backend.make_lanes(None)?;
        Ok(backend)
    }

    /// Makes the lanes, where there are none, and keeps `regions` for them.
    fn make_lanes(&mut self, regions: Option<Regions>) -> Result<(), BackendError> {
        let Self { plan, engine, .. } = self;
        let network = floats(plan.spec.geometry(), plan.most);
        let room = match &regions {
            None => network,
            Some(regions) => resident_floats(plan.most, plan.most * regions.largest_patch()),
        };
        for _ in 0..self.count {
            let lane = Lane::new::<BackendError>(&self.context, room, |bindings| match &regions {
                None => Ok(Stage::new(engine, plan.tensors, bindings)?),
                Some(regions) => {
                    let shared = regions.shared();
                    Stage::resident(engine, plan.tensors, bindings, network, shared)
                }
            })?;
            self.lanes.push(Slot::new(lane, plan.most));
        }
        self.regions = regions;
        self.next = 0;
        Ok(())
    }

    /// Ends all lanes, so that others have their memory.
    fn end_lanes(&mut self) -> Result<(), BackendError> {
        if self.lanes.iter().any(|slot| slot.lane.is_busy()) {
            return Err(BackendError::Misused {
                attempt: "compositing was to move",
                state: "batches are in flight",
            });
        }
        self.lanes.clear();
        self.regions = None;
        Ok(())
    }

    /// The GPU.
    pub fn device(&self) -> &DeviceInfo {
        self.context.device()
    }

    /// What is known about the network.
    pub fn spec(&self) -> &ModelSpec {
        &self.plan.spec
    }

    /// Floats of a lane's tensors for a batch of `frames`, of which patches take `patch_words`.
    fn lane_floats(&self, frames: usize, patch_words: usize) -> Floats {
        match &self.regions {
            None => floats(self.plan.spec.geometry(), frames),
            Some(_) => resident_floats(frames, patch_words),
        }
    }
}

/// Floats of a lane's tensors where regions are resident: jobs, audio and patches.
fn resident_floats(frames: usize, patch_words: usize) -> Floats {
    Floats { inputs: [frames * JOB_WORDS, frames * AUDIO_LEN], output: patch_words }
}

/// Floats of each tensor for a batch of `frames`.
fn floats(geometry: ModelGeometry, frames: usize) -> Floats {
    Floats {
        inputs: [frames * geometry.image_len(), frames * AUDIO_LEN],
        output: frames * geometry.prediction_len(),
    }
}

impl Slot {
    fn new(lane: Lane<Stage>, most: usize) -> Self {
        let held = Vec::with_capacity(most);
        Self { lane, held, bytes: [0; 2], warm: Vec::new(), started: Instant::now() }
    }

    /// Puts a batch of `frames` on the device: by graph from the second time on that the size comes
    /// to this lane, since a capture needs a warm-up and a size that comes once is not worth one.
    fn submit(
        &mut self,
        host: Staging,
        floats: Floats,
        frames: usize,
        graphs: &mut bool,
        log: &dyn Log,
    ) -> Result<(), BackendError> {
        if *graphs && !self.lane.has_graph(frames) && self.warm.contains(&frames) {
            *graphs = self.capture(frames, log)?;
        }
        self.started = Instant::now();
        if *graphs && self.lane.has_graph(frames) {
            return Ok(self.lane.submit_graph(host, floats, frames)?);
        }
        if *graphs && !self.warm.contains(&frames) {
            self.warm.push(frames);
        }
        self.lane
            .submit(host, floats, |stage, bindings| stage.enqueue(frames, bindings, Queue::Now))
    }

    /// Captures the network for batches of `frames`. `false` where that cannot be done here.
    fn capture(&mut self, frames: usize, log: &dyn Log) -> Result<bool, BackendError> {
        // After a change of shapes the first run does what must not be captured.
        if !self.lane.compute().is_set_to(frames) {
            self.lane
                .run(|stage, bindings| Ok::<_, BackendError>(stage.warm_up(frames, bindings)?))?;
        }
        let captured: Result<_, BackendError> =
            self.lane.capture(frames, |stage, lane| stage.enqueue(frames, lane, Queue::Graph));
        if let Err(error) = &captured {
            let text = format!(
                "CUDA graphs are off, since the network cannot be captured for a batch of {frames}: \
                 {error}"
            );
            log.message(Severity::Warning, &text);
        }
        Ok(captured.is_ok())
    }
}

impl Backend for TensorRt {
    fn name(&self) -> &'static str {
        "tensorrt"
    }

    fn provider(&self) -> &str {
        &self.context.device().name
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
        self.count
    }

    fn can_composite(&self) -> bool {
        true
    }

    fn composite_on_device(&mut self, plan: &DevicePlan<'_>) -> Result<String, BackendError> {
        let kernels = Kernels::open(&self.context, plan.cache)?;
        self.end_lanes()?;
        let regions = Regions::new(
            kernels,
            &ResidentPlan {
                geometry: self.plan.spec.geometry(),
                rects: plan.rects,
                stored: plan.stored,
                budget: plan.budget.unwrap_or(self.context.device().memory / 4),
                in_flight: self.count * self.plan.most,
            },
        )?;
        let text = format!(
            "room for {} of {} frames on the GPU ({} bytes each)",
            regions.room(),
            plan.rects.len(),
            regions.region_bytes()
        );
        self.make_lanes(Some(regions))?;
        Ok(text)
    }

    fn composite_on_host(&mut self) -> Result<(), BackendError> {
        self.end_lanes()?;
        self.make_lanes(None)
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        self.plan.spec.require_batch(capacity)?;
        let geometry = self.plan.spec.geometry();
        let frames = capacity.max(self.plan.least);
        let largest_patch = self.regions.as_ref().map_or(0, Regions::largest_patch);
        // The assembler reads back what it wrote where it derives the masked half from the other.
        let room = self.lane_floats(frames, capacity * largest_patch);
        let staging = Staging::zeroed(&self.context, room, PinnedKind::Cached)?;
        let HostBuffers { image, audio, predictions } = staging.into();
        Ok(match &self.regions {
            None => {
                let predictions = Predictions::Host(predictions);
                HostBatch::with_buffers(geometry, capacity, image, audio, predictions)
            }
            Some(_) => {
                let starts = Vec::with_capacity(capacity);
                let patches = Predictions::Patches(Patches { words: predictions, starts });
                HostBatch::on_device(geometry, capacity, image, audio, patches)
            }
        })
    }

    fn enqueue(&mut self, mut batch: HostBatch) -> Result<InFlight, BackendError> {
        let index = self.next;
        let Self { plan, lanes, regions, graphs, log, .. } = self;
        let slot = &mut lanes[index];
        if slot.lane.is_busy() {
            return Err(BackendError::Misused {
                attempt: "a batch was enqueued",
                state: "all lanes are taken",
            });
        }
        let staging = batch.take_buffers().and_then(|buffers| buffers.into_staging().ok());
        let foreign = BackendError::Misused {
            attempt: "a batch was enqueued",
            state: "its memory is not what this backend allocated",
        };
        let Some(mut staging) = staging else { return Err(foreign) };
        let frames = batch.len().max(plan.least);
        let (floats, uploaded) = match (regions, batch.samples_and_starts()) {
            (None, (_, None)) => (floats(plan.spec.geometry(), frames), 0),
            (Some(regions), (samples, Some(starts))) => {
                let jobs = &mut staging.inputs[0];
                let Slot { lane, held, .. } = slot;
                let prepared =
                    regions.prepare(samples, jobs, frames, lane.stream(), starts, held)?;
                (resident_floats(frames, prepared.patch_words), prepared.uploaded)
            }
            _ => return Err(foreign),
        };
        let bytes = |floats: usize| (4 * floats) as u64;
        slot.bytes = [bytes(floats.inputs.iter().sum()) + uploaded, bytes(floats.output)];
        slot.submit(staging, floats, frames, graphs, &**log)?;
        self.next = (index + 1) % self.lanes.len();
        Ok(batch.into_flight(index as u64))
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        let slot = usize::try_from(in_flight.ticket()).ok().and_then(|i| self.lanes.get_mut(i));
        let slot = slot.ok_or(BackendError::Misused {
            attempt: "a batch was waited for",
            state: "another backend has it",
        })?;
        let (staging, times) = slot.lane.collect()?;
        if let Some(regions) = &mut self.regions {
            regions.release(&mut slot.held);
        }
        let [bytes_up, bytes_down] = slot.bytes;
        let parts = slot.lane.compute().parts(slot.lane.compute_marks())?;
        let milliseconds = |ms: f32| Duration::from_secs_f64(f64::from(ms).max(0.0) / 1e3);
        // The device may have been done long before anybody asked. Batches overlap on it; what counts
        // is how much later than the one before this one was done.
        let end = slot.started + milliseconds(times.total_ms);
        let end = end.max(self.previous_end).min(Instant::now());
        let start = slot.started.max(self.previous_end).min(end);
        self.previous_end = end;
        let mut completed = in_flight.complete_with(Span { start, end }, staging.into());
        completed.trace_mut().device = Some(DeviceTimes {
            upload: milliseconds(times.upload_ms),
            compute: milliseconds(times.compute_ms),
            download: milliseconds(times.download_ms),
            parts: parts.map(|parts| {
                let [assemble, network, composite] = parts.map(milliseconds);
                DeviceParts { assemble, network, composite }
            }),
            bytes_up,
            bytes_down,
        });
        Ok(completed)
    }
}
