//! Backends, stages and renders over the stand-ins.

use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::backend::{Backend, BackendError, DevicePlan, TensorRt, TensorRtOptions};
use engine::batch::{Assembler, BatchTrace, HostBatch, Predicted};
use engine::composite::{Compositor, CompositorChoice, Interpolation};
use engine::cuda::{Context, kernels};
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::pipeline::{CancelToken, Mode, Pipeline, PipelineError, PipelineOptions, Stages};
use engine_doubles::Exclusive;
use engine_sys::{Flavour, Library, Log, Severity};

use crate::support::{Collect, Exact, SIDE, Setting, pipeline};

/// Keeps warnings, and says when the library has let go of it.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<(Severity, String)>>);

impl Told {
    pub(crate) fn warnings(&self) -> Vec<String> {
        let told = self.0.lock().unwrap();
        let warnings = told.iter().filter(|(severity, _)| *severity == Severity::Warning);
        warnings.map(|(_, text)| text.clone()).collect()
    }
}

impl Log for Told {
    fn message(&self, severity: Severity, text: &str) {
        self.0.lock().unwrap().push((severity, text.to_owned()));
    }
}

/// The stand-ins, for this test alone, and the flavours that they were built for.
pub(crate) fn stand_ins() -> (Exclusive, Vec<Flavour>) {
    engine_doubles::cuda();
    let flavours: Vec<Flavour> = Flavour::ALL
        .into_iter()
        .filter(|flavour| engine_doubles::tensorrt_dir(*flavour).is_some())
        .collect();
    if flavours.is_empty() {
        eprintln!("SKIPPED: built without TensorRT's headers; run scripts/setup and build again");
    }
    (engine_doubles::control().exclusive(), flavours)
}

pub(crate) fn planes(predicted: Predicted<'_>) -> Vec<f32> {
    match predicted {
        Predicted::Planes(floats) => floats.to_vec(),
        Predicted::Patch(_) => panic!("composited"),
    }
}

/// How a test wants its backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) flavour: Flavour,
    pub(crate) lanes: usize,
    pub(crate) graphs: bool,
    pub(crate) profile: [usize; 3],
    pub(crate) inputs: Inputs,
    pub(crate) compositor: CompositorChoice,
    /// Regions that fit the budget, where the GPU composites.
    pub(crate) regions: Option<u64>,
}

impl Wanted {
    pub(crate) fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            lanes: 2,
            graphs: true,
            profile: [1, 4, 8],
            inputs: Inputs::Package,
            compositor: CompositorChoice::Auto,
            regions: None,
        }
    }

    /// The same with compositing on the device.
    pub(crate) fn on_device(self) -> Self {
        Self { compositor: CompositorChoice::Cuda, ..self }
    }
}

pub(crate) fn open(wanted: Wanted, log: &Arc<Told>) -> Result<TensorRt, BackendError> {
    let plan = engine_doubles::plan(wanted.flavour, SIDE, wanted.profile);
    open_plan(wanted, &plan, log)
}

pub(crate) fn open_plan(
    wanted: Wanted,
    plan: &[u8],
    log: &Arc<Told>,
) -> Result<TensorRt, BackendError> {
    let file = engine_doubles::tensorrt_library(wanted.flavour).unwrap();
    let library = Library::open(wanted.flavour, &file, log.clone())?;
    let options = TensorRtOptions {
        library,
        log: log.clone(),
        lanes: wanted.lanes,
        graphs: wanted.graphs,
        host_code: false,
    };
    TensorRt::from_bytes(Path::new("probe.engine"), plan, &Context::new(0)?, &options)
}

/// Each flavour, and one of them also where the device composites, in which they do not differ.
pub(crate) fn ways(flavours: Vec<Flavour>) -> impl Iterator<Item = Wanted> {
    let one = flavours.first().map(|flavour| Wanted::new(*flavour).on_device());
    flavours.into_iter().map(Wanted::new).chain(one)
}

/// Has the backend composite frames of `package`. The stand-in for the driver runs kernels that PTX
/// declares, so that no compiler is needed.
pub(crate) fn on_device(
    backend: &mut TensorRt,
    package: &Package,
    wanted: Wanted,
    cache: &Path,
) -> Result<String, BackendError> {
    let kept = kernels::kept_at(cache, backend.device().compute_capability);
    if !kept.exists() {
        std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
        let names = ["assemble_f32", "assemble_f16", "composite_f32", "composite_f16"];
        std::fs::write(&kept, names.map(|name| format!(".entry {name}(\n")).concat()).unwrap();
    }
    let region_bytes = match wanted.inputs {
        Inputs::Package => REGION_BYTES,
        Inputs::Derived => CROP_BYTES,
    };
    backend.composite_on_device(&DevicePlan {
        rects: package.rects(),
        stored: wanted.inputs == Inputs::Package,
        budget: wanted.regions.map(|regions| regions * region_bytes),
        cache: Some(cache),
    })
}

/// A crop, and a crop with roi and masked roi, in whole words of 16 bytes.
const CROP_BYTES: u64 = (3 * (SIDE + 8) * (SIDE + 8)) as u64;

pub(crate) const REGION_BYTES: u64 = CROP_BYTES + 2 * (3 * SIDE * SIDE) as u64;

/// Everything that a run over the package in `folder` shows: frames, or the error.
pub(crate) fn render(
    folder: &Path,
    wanted: Wanted,
    backend: impl FnOnce() -> Result<TensorRt, BackendError>,
    count: u64,
) -> Result<Vec<(u64, Vec<u8>)>, PipelineError> {
    Ok(render_traced(folder, wanted, backend, count)?.0)
}

/// The same, and what happened to the batches.
#[expect(clippy::type_complexity, reason = "frames and traces")]
pub(crate) fn render_traced(
    folder: &Path,
    wanted: Wanted,
    backend: impl FnOnce() -> Result<TensorRt, BackendError>,
    count: u64,
) -> Result<(Vec<(u64, Vec<u8>)>, Vec<BatchTrace>), PipelineError> {
    let mut backend = Box::new(backend()?);
    let package = Arc::new(Package::open(folder, backend.geometry(), wanted.inputs).unwrap());
    if wanted.compositor == CompositorChoice::Cuda {
        on_device(&mut backend, &package, wanted, &folder.join("kept"))?;
    }
    let mut pipeline = Pipeline::new(stages(backend, &package, wanted, count), OPTIONS)?;
    let sink = Collect::default();
    let report = pipeline.run(count, Box::new(sink.clone()), &CancelToken::default())?;
    let parts = wanted.compositor == CompositorChoice::Cuda;
    let device = |trace: &BatchTrace| trace.device.is_some_and(|d| d.parts.is_some() == parts);
    assert!(report.traces.iter().all(device));
    assert!(sink.0.lock().unwrap().finished);
    Ok((sink.take().frames, report.traces))
}

pub(crate) const OPTIONS: PipelineOptions =
    PipelineOptions { batch: 4, workers: 2, mode: Mode::Pipelined, sink_depth: 2, trace: true };

pub(crate) fn stages(
    backend: Box<TensorRt>,
    package: &Arc<Package>,
    wanted: Wanted,
    count: u64,
) -> Stages {
    let store = StoreOptions { mode: StoreMode::Ram, ram_budget: 1 << 30, decode_threads: 1 };
    Stages {
        store: FrameStore::open(Arc::clone(package), &store, &mut |_, _| ()).unwrap(),
        assembler: Assembler::new(package.features().unwrap().repeat_to(count as usize)),
        compositor: Compositor::new(
            wanted.compositor,
            Interpolation::Linear,
            backend.geometry(),
            package.frame_size(),
            package.rects(),
        )
        .unwrap(),
        backend,
        frame: package.frame_size(),
        rects: package.rects().to_vec(),
    }
}

/// The same frames from the exact network on the CPU.
pub(crate) fn expected(folder: &Path, count: u64) -> Vec<(u64, Vec<u8>)> {
    expected_of(folder, Inputs::Package, count)
}

pub(crate) fn expected_of(folder: &Path, inputs: Inputs, count: u64) -> Vec<(u64, Vec<u8>)> {
    let setting = Setting { inputs, ..Setting::default() };
    let mut pipeline = pipeline(folder, setting, count as usize, Box::new(Exact::new()));
    let sink = Collect::default();
    pipeline.run(count, Box::new(sink.clone()), &CancelToken::default()).unwrap();
    sink.take().frames
}

/// An error and its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A filled batch of one frame.
pub(crate) fn batch(backend: &TensorRt, assembler: &Assembler, store: &FrameStore) -> HostBatch {
    let mut batch = backend.allocate(1).unwrap();
    let sample = store.source(0..1, 8).unwrap().next().unwrap().unwrap();
    assembler.push(&mut batch, sample);
    batch
}

pub(crate) fn store(folder: &Path, backend: &TensorRt) -> (FrameStore, Assembler) {
    let package = Arc::new(Package::open(folder, backend.geometry(), Inputs::Package).unwrap());
    let options = StoreOptions { mode: StoreMode::Ram, ram_budget: 1 << 30, decode_threads: 1 };
    let store = FrameStore::open(Arc::clone(&package), &options, &mut |_, _| ()).unwrap();
    (store, Assembler::new(package.features().unwrap()))
}
