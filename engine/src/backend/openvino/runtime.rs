//! A model on OpenVINO.

use std::path::{Path, PathBuf};
use std::time::Instant;

use engine_sys::openvino::{self, Bindings, Buffers, Core, OpenVinoError, Requests, Tensors};

use super::OpenVinoPrecision;
use crate::backend::{Backend, BackendError, BatchLimit, ModelSpec};
use crate::batch::{Completed, HostBatch, HostBuffer, HostBuffers, InFlight, Predictions, Span};
use crate::frame::ModelGeometry;
use crate::onnx::Model;

/// The tensors as the C interface takes their names.
const BINDINGS: Bindings = Bindings { inputs: [c"input", c"audio"], output: c"output" };

/// How to run a model on OpenVINO.
#[derive(Clone, Debug)]
pub struct OpenVinoOptions {
    /// The library, from [`find_openvino`](engine_sys::search::find_openvino).
    pub library: PathBuf,
    /// Threads that compute, all streams together; at least 1.
    pub threads: usize,
    /// Frames that are computed at one time, each with its part of the threads; at least 1, at most
    /// `threads`.
    pub streams: usize,
    /// What the network is computed in.
    pub precision: OpenVinoPrecision,
}

/// What OpenVINO says about the processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenVinoCpu {
    /// Its name.
    pub name: String,
    /// What OpenVINO can compute with on it, such as `FP32`, `BF16`, `INT8`.
    pub capabilities: Vec<String>,
}

impl OpenVinoCpu {
    pub(super) fn new(name: String, capabilities: &str) -> Self {
        let capabilities = capabilities.split([' ', ',']).filter(|word| !word.is_empty());
        Self { name, capabilities: capabilities.map(str::to_owned).collect() }
    }

    fn ask(core: &Core) -> Result<Self, OpenVinoError> {
        let name = core.property(c"FULL_DEVICE_NAME")?;
        Ok(Self::new(name.trim().to_owned(), &core.property(c"OPTIMIZATION_CAPABILITIES")?))
    }

    pub(super) fn offers(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|word| word == capability)
    }

    /// What a network can be computed in.
    pub fn precisions(&self) -> Vec<OpenVinoPrecision> {
        let all = OpenVinoPrecision::ALL.into_iter();
        all.filter(|precision| precision.runs_on(self)).collect()
    }
}

/// A compiled network.
///
/// Each frame of a batch is a run of its own. On a processor a batch of several frames is no faster
/// than as many runs; but so a short batch costs what it has frames, streams share a batch, and a
/// frame's bytes do not depend on the batch it is in. Only a network that takes n frames, no more and
/// no fewer, is run for n at a time.
///
/// Frames are computed on threads of OpenVINO's own. As many batches are in flight as give every
/// stream a frame, and one more, which keeps them busy while a batch is handed over.
pub struct OpenVino {
    spec: ModelSpec,
    options: OpenVinoOptions,
    /// As many as the smallest batches take.
    slots: Vec<Slot>,
    /// When the batch before was done.
    previous_end: Instant,
    library: openvino::OpenVino,
}

/// Place for one batch in flight.
struct Slot {
    requests: Requests,
    /// When it was enqueued.
    started: Instant,
}

impl OpenVino {
    /// Loads the library and the model, and compiles it for this processor.
    ///
    /// # Errors
    /// When the library cannot be loaded, the file is not a model that the engine can feed, the
    /// processor does not compute in that precision, a network that is to run in int8 is not
    /// quantized, or there are more streams than threads.
    pub fn open(model: &Path, options: &OpenVinoOptions) -> Result<Self, BackendError> {
        // What the file declares is checked first: that needs no runtime, and the runtime's own words
        // for a model of other shapes are riddles.
        let bytes = Model::read(model)?;
        let read = Model::decode(model, &bytes)?;
        let spec = ModelSpec::declared(model, &read)?;
        if let Some(tensor) = read.external_tensor() {
            let problem = format!(
                "its constant \"{tensor}\" is in a file of its own, which OpenVINO is not given; \
                 expected a model that holds its constants"
            );
            return Err(BackendError::Model { path: model.to_owned(), problem });
        }
        let OpenVinoOptions { threads, streams, precision, .. } = *options;
        if streams > threads {
            return Err(BackendError::Streams { streams, threads });
        }
        if precision == OpenVinoPrecision::Int8 && !read.is_quantized() {
            return Err(BackendError::NotQuantized { path: model.to_owned() });
        }
        drop(read);
        let library = openvino::OpenVino::load(&options.library)?;
        let core = configured(&library, options)?;
        let refused = |source: OpenVinoError| BackendError::Load {
            path: model.to_owned(),
            runtime: "OpenVINO",
            source: source.into(),
        };
        let mut network = core.read(&bytes).map_err(refused)?;
        drop(bytes);
        let shapes = Shapes::of(&spec);
        if spec.batch_limit() == BatchLimit::Any {
            let [image, audio] = BINDINGS.inputs;
            network.reshape([(image, shapes.image), (audio, shapes.audio)]).map_err(refused)?;
        }
        let compiled = core.compile(&network).map_err(refused)?;
        let mut requests = Requests::new(&compiled, BINDINGS);
        // Shapes that are not what the file declared are found out now.
        requests.check(&mut shapes.buffers(&library, 1)?).map_err(refused)?;
        let now = Instant::now();
        let others = (0..streams).map(|_| Requests::new(&compiled, BINDINGS));
        let slots = std::iter::once(requests).chain(others);
        let slots = slots.map(|requests| Slot { requests, started: now }).collect();
        let options = options.clone();
        Ok(Self { spec, options, slots, previous_end: now, library })
    }

    /// What is known about the model.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Version and build of its library.
    pub fn library_version(&self) -> &str {
        self.library.version()
    }

    /// Version and build of the library at `library`, and what it says about this processor.
    ///
    /// # Errors
    /// When it cannot be loaded, or has no plugin for the processor.
    pub fn describe(library: &Path) -> Result<(String, OpenVinoCpu), BackendError> {
        let library = openvino::OpenVino::load(library)?;
        let cpu = OpenVinoCpu::ask(&Core::new(&library)?)?;
        Ok((library.version().to_owned(), cpu))
    }
}

/// A core that compiles as `options` say.
fn configured(
    library: &openvino::OpenVino,
    options: &OpenVinoOptions,
) -> Result<Core, BackendError> {
    let OpenVinoOptions { threads, streams, precision, .. } = *options;
    let mut core = Core::new(library)?;
    let cpu = OpenVinoCpu::ask(&core)?;
    if !precision.runs_on(&cpu) {
        let possible = cpu.precisions().into_iter().map(OpenVinoPrecision::name);
        return Err(BackendError::Precision {
            precision: precision.name(),
            possible: possible.collect::<Vec<_>>().join(", "),
            cpu: cpu.name,
        });
    }
    // Left alone, OpenVINO computes in bf16 wherever the processor has it.
    core.set(c"INFERENCE_PRECISION_HINT", precision.float_type())?;
    core.set(c"NUM_STREAMS", &streams.to_string())?;
    core.set(c"INFERENCE_NUM_THREADS", &threads.to_string())?;
    // The cores are shared with compositing and with other programs: a thread that is bound to one
    // would have to wait for it. Bound threads were no faster, within the noise of 2 cores.
    core.set(c"ENABLE_CPU_PINNING", "NO")?;
    Ok(core)
}

/// The shapes of one run's tensors.
struct Shapes {
    image: [usize; 4],
    audio: [usize; 4],
    output: [usize; 4],
}

impl Shapes {
    fn of(spec: &ModelSpec) -> Self {
        let (frames, side) = (frames_a_run(spec.batch_limit()), spec.geometry().side());
        Self {
            image: [frames, 6, side, side],
            audio: [frames, 32, 16, 16],
            output: [frames, 3, side, side],
        }
    }

    /// Memory for `runs` runs.
    fn buffers(&self, library: &openvino::OpenVino, runs: usize) -> Result<Buffers, OpenVinoError> {
        let tensors = |shape| Tensors::zeroed(library, shape, runs);
        Ok(Buffers {
            inputs: [tensors(self.image)?, tensors(self.audio)?],
            output: tensors(self.output)?,
        })
    }
}

fn frames_a_run(limit: BatchLimit) -> usize {
    match limit {
        BatchLimit::Fixed(n) => n,
        BatchLimit::Any | BatchLimit::UpTo(_) => 1,
    }
}

/// Runs that `frames` frames take.
fn runs(limit: BatchLimit, frames: usize) -> usize {
    frames.div_ceil(frames_a_run(limit))
}

impl Backend for OpenVino {
    fn name(&self) -> &'static str {
        "openvino"
    }

    fn provider(&self) -> &str {
        self.options.precision.provider()
    }

    fn library(&self) -> Option<String> {
        Some(format!("OpenVINO {}", self.library_version()))
    }

    fn geometry(&self) -> ModelGeometry {
        self.spec.geometry()
    }

    fn batch_limit(&self) -> BatchLimit {
        self.spec.batch_limit()
    }

    fn cpu_threads(&self) -> usize {
        self.options.threads
    }

    fn max_in_flight(&self, batch: usize) -> usize {
        self.options.streams.div_ceil(runs(self.spec.batch_limit(), batch).max(1)) + 1
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        self.spec.require_batch(capacity)?;
        let runs = runs(self.spec.batch_limit(), capacity);
        let Buffers { inputs: [image, audio], output } =
            Shapes::of(&self.spec).buffers(&self.library, runs)?;
        let [image, audio] = [image, audio].map(HostBuffer::tensors);
        let predictions = Predictions::Host(HostBuffer::tensors(output));
        Ok(HostBatch::with_buffers(self.spec.geometry(), capacity, image, audio, predictions))
    }

    fn enqueue(&mut self, mut batch: HostBatch) -> Result<InFlight, BackendError> {
        let misused = |state| BackendError::Misused { attempt: "a batch was enqueued", state };
        let free = self.slots.iter().position(|slot| !slot.requests.is_busy());
        let index = free.ok_or(misused("as many are in flight as may be"))?;
        let slot = &mut self.slots[index];
        let buffers = batch.take_buffers().and_then(|buffers| buffers.into_tensors().ok());
        let buffers = buffers.ok_or(misused("its memory is not what this backend allocated"))?;
        // Where a network takes n frames, what it makes of those that are missing is not read.
        let runs = runs(self.spec.batch_limit(), batch.len());
        slot.started = Instant::now();
        slot.requests.start(buffers, runs)?;
        Ok(batch.into_flight(index as u64))
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        let misused = BackendError::Misused {
            attempt: "a batch was waited for",
            state: "another backend has it",
        };
        let slot = usize::try_from(in_flight.ticket()).ok().and_then(|i| self.slots.get_mut(i));
        let Some(slot) = slot else { return Err(misused) };
        let Some((buffers, end)) = slot.requests.wait()? else { return Err(misused) };
        // Batches overlap; what counts is how much later than the one before this one was done.
        let end = end.max(self.previous_end).min(Instant::now());
        let start = slot.started.max(self.previous_end).min(end);
        self.previous_end = end;
        Ok(in_flight.complete_with(Span { start, end }, HostBuffers::from(buffers)))
    }
}
