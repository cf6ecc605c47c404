//! Backends of a GPU, stages and renders over the stand-ins.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]

use std::path::Path;
use std::sync::Arc;

use engine::backend::{Backend, BackendError, DevicePlan};
use engine::batch::{Assembler, BatchTrace, HostBatch, Predicted};
use engine::composite::{Compositor, CompositorChoice, Interpolation};
use engine::cuda::{devices, kernels};
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::pipeline::{CancelToken, Mode, Pipeline, PipelineError, PipelineOptions, Stages};
use engine_doubles::Control;
use engine_sys::Flavour;

use super::{Collect, Exact, SIDE, Setting, pipeline};

pub fn planes(predicted: Predicted<'_>) -> Vec<f32> {
    match predicted {
        Predicted::Planes(floats) => floats.to_vec(),
        Predicted::Patch(_) => panic!("composited"),
    }
}

/// How a test wants its backend.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which TensorRT, where it is one.
    pub flavour: Option<Flavour>,
    pub lanes: usize,
    pub graphs: bool,
    pub profile: [usize; 3],
    pub inputs: Inputs,
    pub compositor: CompositorChoice,
    /// Regions that fit the budget, where the GPU composites.
    pub regions: Option<u64>,
}

impl Wanted {
    pub fn new(flavour: impl Into<Option<Flavour>>) -> Self {
        Self {
            flavour: flavour.into(),
            lanes: 2,
            graphs: true,
            profile: [1, 4, 8],
            inputs: Inputs::Package,
            compositor: CompositorChoice::Auto,
            regions: None,
        }
    }

    /// The same with compositing on the device.
    pub fn on_device(self) -> Self {
        Self { compositor: CompositorChoice::Cuda, ..self }
    }
}

/// Has the backend composite frames of `package`. The stand-in for the driver runs kernels that PTX
/// declares, so that no compiler is needed.
pub fn on_device(
    backend: &mut dyn Backend,
    package: &Package,
    wanted: Wanted,
    cache: &Path,
) -> Result<String, BackendError> {
    let kept = kernels::kept_at(cache, devices()?[0].compute_capability);
    if !kept.exists() {
        std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
        let names =
            ["assemble_f32", "assemble_f16", "windows_f32", "composite_f32", "composite_f16"];
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

pub const REGION_BYTES: u64 = CROP_BYTES + 2 * (3 * SIDE * SIDE) as u64;

/// Everything that a run over the package in `folder` shows: frames, or the error.
pub fn render<B: Backend + 'static>(
    folder: &Path,
    wanted: Wanted,
    backend: impl FnOnce() -> Result<B, BackendError>,
    count: u64,
) -> Result<Vec<(u64, Vec<u8>)>, PipelineError> {
    Ok(render_traced(folder, wanted, backend, count)?.0)
}

/// The same, and what happened to the batches.
#[expect(clippy::type_complexity, reason = "frames and traces")]
pub fn render_traced<B: Backend + 'static>(
    folder: &Path,
    wanted: Wanted,
    backend: impl FnOnce() -> Result<B, BackendError>,
    count: u64,
) -> Result<(Vec<(u64, Vec<u8>)>, Vec<BatchTrace>), PipelineError> {
    let mut backend = Box::new(backend()?);
    let package = Arc::new(Package::open(folder, backend.geometry(), wanted.inputs).unwrap());
    if wanted.compositor == CompositorChoice::Cuda {
        on_device(&mut *backend, &package, wanted, &folder.join("kept"))?;
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

pub const OPTIONS: PipelineOptions =
    PipelineOptions { batch: 4, workers: 2, mode: Mode::Pipelined, sink_depth: 2, trace: true };

pub fn stages(
    backend: Box<dyn Backend>,
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

/// Runs again and again, each time with another call failing, until all have. Every run has to end with
/// the frames that are expected or an error that passes `check`, and to leave nothing behind.
pub fn any_call_may_fail(
    control: &Control,
    what: &str,
    expected: &[(u64, Vec<u8>)],
    run: impl Fn() -> Result<Vec<(u64, Vec<u8>)>, PipelineError>,
    check: impl Fn(&PipelineError),
) {
    let mut errors = 0;
    for nth in 1.. {
        control.reset();
        // 719: the launch failed.
        control.fail("*", nth, 719);
        let result = run();
        let reached = control.calls("*") >= u64::from(nth);
        match result {
            // The call was one whose failure does not matter, such as a capture.
            Ok(frames) => assert!(frames == expected, "{what}, call {nth}"),
            Err(error) => {
                assert!(reached, "{what}, call {nth} was not made: {error}");
                assert!(matches!(error, PipelineError::Backend(_)), "{what}: {error:?}");
                check(&error);
                errors += 1;
            }
        }
        assert_eq!(control.census(), Vec::<String>::new(), "{what}, call {nth}");
        if !reached {
            break;
        }
    }
    assert!(errors > 50, "{what}: only {errors} calls that matter were made");
}

/// The same frames from the exact network on the CPU.
pub fn expected(folder: &Path, count: u64) -> Vec<(u64, Vec<u8>)> {
    expected_of(folder, Inputs::Package, count)
}

pub fn expected_of(folder: &Path, inputs: Inputs, count: u64) -> Vec<(u64, Vec<u8>)> {
    let setting = Setting { inputs, ..Setting::default() };
    let mut pipeline = pipeline(folder, setting, count as usize, Box::new(Exact::new()));
    let sink = Collect::default();
    pipeline.run(count, Box::new(sink.clone()), &CancelToken::default()).unwrap();
    sink.take().frames
}

/// An error and its sources in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A filled batch of one frame.
pub fn batch(backend: &dyn Backend, assembler: &Assembler, store: &FrameStore) -> HostBatch {
    let mut batch = backend.allocate(1).unwrap();
    let sample = store.source(0..1, 8).unwrap().next().unwrap().unwrap();
    assembler.push(&mut batch, sample);
    batch
}

pub fn store(folder: &Path, backend: &dyn Backend) -> (FrameStore, Assembler) {
    let package = Arc::new(Package::open(folder, backend.geometry(), Inputs::Package).unwrap());
    let options = StoreOptions { mode: StoreMode::Ram, ram_budget: 1 << 30, decode_threads: 1 };
    let store = FrameStore::open(Arc::clone(&package), &options, &mut |_, _| ()).unwrap();
    (store, Assembler::new(package.features().unwrap()))
}
