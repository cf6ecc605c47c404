//! The TensorRT backend from the library's file to the sink, over stand-ins for NVIDIA's libraries
//! that compute the exact network in host memory, for each flavour whose headers are there.
//!
//! The stand-ins share one control, so the tests take turns.
#![cfg(feature = "tensorrt")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::backend::{Backend, BackendError, BatchLimit, DevicePlan, TensorRt, TensorRtOptions};
use engine::batch::{Assembler, BatchTrace, Completed, HostBatch, Predicted};
use engine::composite::{Compositor, CompositorChoice, Interpolation, KernelLevel};
use engine::cuda::{Context, kernels};
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::pipeline::{
    CancelToken, Mode, Pipeline, PipelineError, PipelineOptions, Placement, Stages,
};
use engine_doubles::{Control, Exclusive};
use engine_sys::{Error, Flavour, Library, Log, Severity};
use support::{Collect, Exact, SIDE, Setting, package, pipeline};

/// Keeps warnings, and says when the library has let go of it.
#[derive(Default)]
struct Told(Mutex<Vec<(Severity, String)>>);

impl Told {
    fn warnings(&self) -> Vec<String> {
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
fn stand_ins() -> (Exclusive, Vec<Flavour>) {
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

fn planes(predicted: Predicted<'_>) -> Vec<f32> {
    match predicted {
        Predicted::Planes(floats) => floats.to_vec(),
        Predicted::Patch(_) => panic!("composited"),
    }
}

/// How a test wants its backend.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    flavour: Flavour,
    lanes: usize,
    graphs: bool,
    profile: [usize; 3],
    inputs: Inputs,
    compositor: CompositorChoice,
    /// Regions that fit the budget, where the GPU composites.
    regions: Option<u64>,
}

impl Wanted {
    fn new(flavour: Flavour) -> Self {
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
    fn on_device(self) -> Self {
        Self { compositor: CompositorChoice::Cuda, ..self }
    }
}

fn open(wanted: Wanted, log: &Arc<Told>) -> Result<TensorRt, BackendError> {
    let plan = engine_doubles::plan(wanted.flavour, SIDE, wanted.profile);
    open_plan(wanted, &plan, log)
}

fn open_plan(wanted: Wanted, plan: &[u8], log: &Arc<Told>) -> Result<TensorRt, BackendError> {
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
fn ways(flavours: Vec<Flavour>) -> impl Iterator<Item = Wanted> {
    let one = flavours.first().map(|flavour| Wanted::new(*flavour).on_device());
    flavours.into_iter().map(Wanted::new).chain(one)
}

/// Has the backend composite frames of `package`. The stand-in for the driver runs kernels that PTX
/// declares, so that no compiler is needed.
fn on_device(
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
const REGION_BYTES: u64 = CROP_BYTES + 2 * (3 * SIDE * SIDE) as u64;

/// Everything that a run over the package in `folder` shows: frames, or the error.
fn render(
    folder: &Path,
    wanted: Wanted,
    backend: impl FnOnce() -> Result<TensorRt, BackendError>,
    count: u64,
) -> Result<Vec<(u64, Vec<u8>)>, PipelineError> {
    Ok(render_traced(folder, wanted, backend, count)?.0)
}

/// The same, and what happened to the batches.
#[expect(clippy::type_complexity, reason = "frames and traces")]
fn render_traced(
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

const OPTIONS: PipelineOptions =
    PipelineOptions { batch: 4, workers: 2, mode: Mode::Pipelined, sink_depth: 2, trace: true };

fn stages(backend: Box<TensorRt>, package: &Arc<Package>, wanted: Wanted, count: u64) -> Stages {
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
fn expected(folder: &Path, count: u64) -> Vec<(u64, Vec<u8>)> {
    expected_of(folder, Inputs::Package, count)
}

fn expected_of(folder: &Path, inputs: Inputs, count: u64) -> Vec<(u64, Vec<u8>)> {
    let setting = Setting { inputs, ..Setting::default() };
    let mut pipeline = pipeline(folder, setting, count as usize, Box::new(Exact::new()));
    let sink = Collect::default();
    pipeline.run(count, Box::new(sink.clone()), &CancelToken::default()).unwrap();
    sink.take().frames
}

#[test]
fn frames_are_those_of_the_exact_network_whatever_the_lanes_and_graphs() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 5);
    // A short last batch, and one that is shorter than the engine's smallest.
    let expected = expected(folder.path(), 23);
    for flavour in flavours {
        for lanes in [1, 2, 3] {
            for graphs in [false, true] {
                for profile in [[1, 4, 8], [4, 4, 4]] {
                    let wanted = Wanted { lanes, graphs, profile, ..Wanted::new(flavour) };
                    let told = Arc::<Told>::default();
                    let launches = control.calls("cuGraphLaunch");
                    let open = || open(wanted, &told);
                    let frames = render(folder.path(), wanted, open, 23).unwrap();
                    assert!(frames == expected, "{flavour}, {lanes} lanes, graphs {graphs}");
                    let launched = control.calls("cuGraphLaunch") > launches;
                    assert_eq!(launched, graphs, "{flavour}, {lanes} lanes");
                    assert_eq!(told.warnings(), Vec::<String>::new());
                    assert_eq!(control.census(), Vec::<String>::new());
                }
            }
        }
    }
}

#[test]
fn frames_that_the_device_composites_are_those_of_the_cpu() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 5);
    for inputs in [Inputs::Package, Inputs::Derived] {
        let expected = expected_of(folder.path(), inputs, 23);
        for (nth, flavour) in flavours.iter().copied().enumerate() {
            // Flavours do not differ in what is around the network.
            let most = if nth == 0 { usize::MAX } else { 2 };
            for (lanes, graphs, profile, regions) in [
                (1, false, [1, 4, 8], None),
                (2, true, [1, 4, 8], None),
                (3, true, [4, 4, 4], Some(5)),
                // No more than what is in flight.
                (1, true, [1, 2, 4], Some(4)),
                (1, false, [4, 4, 4], Some(4)),
            ]
            .into_iter()
            .take(most)
            {
                control.reset();
                let wanted =
                    Wanted { lanes, graphs, profile, inputs, regions, ..Wanted::new(flavour) };
                let wanted = wanted.on_device();
                let told = Arc::<Told>::default();
                let frames = render(folder.path(), wanted, || open(wanted, &told), 23).unwrap();
                assert!(frames == expected, "{wanted:?}");
                assert_eq!(control.calls("cuGraphLaunch") > 0, graphs, "{wanted:?}");
                assert_eq!(told.warnings(), Vec::<String>::new());
                assert_eq!(control.census(), Vec::<String>::new(), "{wanted:?}");
            }
        }
    }
}

#[test]
fn a_region_is_uploaded_once_where_there_is_room_and_patches_come_back() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 12);
    for flavour in flavours {
        for (regions, uploads) in [
            // Twelve frames, there and back and there again.
            (None, 12),
            (Some(12), 12),
            // The turning points are still there; everything between them is not.
            (Some(8), 12 + 4 + 4),
        ] {
            control.reset();
            let profile = [1, 4, 4];
            let wanted = Wanted { regions, profile, ..Wanted::new(flavour) }.on_device();
            let told = Arc::<Told>::default();
            let (_, traces) =
                render_traced(folder.path(), wanted, || open(wanted, &told), 36).unwrap();
            let sum = |of: fn(&BatchTrace) -> u64| traces.iter().map(of).sum::<u64>();
            // Of each frame also a job and 16 rows of features.
            let others = 36 * (64 + 16 * 512 * 4);
            let up = sum(|trace| trace.device.unwrap().bytes_up);
            assert_eq!(
                (up - others) as f64 / REGION_BYTES as f64,
                f64::from(uploads),
                "{regions:?}"
            );
            let geometry = engine::frame::ModelGeometry::new(SIDE).unwrap();
            let package = Package::open(folder.path(), geometry, Inputs::Package).unwrap();
            let patch = |frame: usize| {
                let size = package.rects()[frame].size();
                ((3 * size.width).next_multiple_of(4) * size.height) as u64
            };
            // There and back, each turning point once.
            let shown = (0..36).map(|k| if k % 22 < 12 { k % 22 } else { 22 - k % 22 });
            let down = sum(|trace| trace.device.unwrap().bytes_down);
            assert_eq!(down, shown.map(patch).sum::<u64>());
        }
    }
}

#[test]
fn the_next_batch_is_uploaded_while_the_device_computes() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    for flavour in flavours {
        control.reset();
        let told = Arc::<Told>::default();
        let wanted = Wanted::new(flavour).on_device();
        let mut backend = open(wanted, &told).unwrap();
        let (store, assembler) = store(folder.path(), &backend);
        let package = Package::open(folder.path(), backend.geometry(), Inputs::Package).unwrap();
        on_device(&mut backend, &package, wanted, &folder.path().join("kept")).unwrap();
        let batch = |backend: &TensorRt, frame: u64| {
            let mut batch = backend.allocate(1).unwrap();
            let sample = store.source(frame..frame + 1, 8).unwrap().next().unwrap().unwrap();
            assembler.push(&mut batch, sample);
            batch
        };
        control.hold("host");
        let first = backend.enqueue(batch(&backend, 0)).unwrap();
        control.wait_running("host", 1);
        let second = backend.enqueue(batch(&backend, 1)).unwrap();
        // Its region arrives, its inputs are assembled, and its network runs beside the first.
        control.wait_running("host", 2);
        let began = |name: &str| {
            let events = control.events();
            events.iter().filter(|event| event.ends_with(&format!("end {name}"))).count()
        };
        assert_eq!(began("assemble_f32"), 2);
        assert_eq!(began("composite_f32"), 0);
        control.release("host");
        let order: Vec<String> = [first, second]
            .into_iter()
            .flat_map(|flying| {
                drop(backend.wait(flying).unwrap());
                control.events()
            })
            .filter_map(|event| {
                event
                    .split_once("stream ")?
                    .1
                    .split_once(" begin ")
                    .map(|(_, name)| name.to_owned())
            })
            .filter(|name| name != "record")
            .collect();
        // What one lane does is in this order; two of them mix.
        let position = |name: &str| order.iter().position(|found| found == name).unwrap();
        let steps = ["assemble_f32", "host", "composite_f32", "download"].map(position);
        assert!(steps.is_sorted(), "{order:?}");
        drop(backend);
        assert_eq!(control.census(), Vec::<String>::new());
    }
}

/// Places compositing where it is faster, and renders. Also what was said.
fn placed(
    folder: &Path,
    wanted: Wanted,
    change: impl FnOnce(&mut Stages, &mut Placement<'_>),
) -> (Vec<String>, Vec<(u64, Vec<u8>)>) {
    let mut backend = open(wanted, &Arc::<Told>::default()).unwrap();
    let package = Arc::new(Package::open(folder, backend.geometry(), wanted.inputs).unwrap());
    let cache = folder.join("kept");
    // Leaves the kernels there.
    on_device(&mut backend, &package, wanted, &cache).unwrap();
    backend.composite_on_host().unwrap();
    let mut stages = stages(Box::new(backend), &package, wanted, 23);
    let mut placement = Placement {
        choice: wanted.compositor,
        interpolation: Interpolation::Linear,
        frames: None,
        options: OPTIONS,
        plan: DevicePlan {
            rects: package.rects(),
            stored: wanted.inputs == Inputs::Package,
            budget: None,
            cache: Some(&cache),
        },
    };
    change(&mut stages, &mut placement);
    let said = Mutex::new(Vec::<String>::new());
    let say = |line: &str| said.lock().unwrap().push(line.to_owned());
    let stages = stages.place_compositing(&placement, &CancelToken::new(), &say).unwrap();
    let sink = Collect::default();
    let mut pipeline = Pipeline::new(stages, OPTIONS).unwrap();
    let report = pipeline.run(23, Box::new(sink.clone()), &CancelToken::new()).unwrap();
    let on_device = pipeline.stages().compositor.level() == KernelLevel::Cuda;
    let parts = |trace: &BatchTrace| trace.device.is_some_and(|d| d.parts.is_some() == on_device);
    assert!(report.traces.iter().all(parts));
    (said.into_inner().unwrap(), sink.take().frames)
}

#[test]
fn compositing_is_placed_where_it_is_faster_and_gives_the_same_frames() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 5);
    let expected = expected(folder.path(), 23);
    let Some(&flavour) = flavours.first() else { return };
    let wanted = Wanted::new(flavour);
    let folder = folder.path();

    let (said, frames) = placed(folder, wanted, |_, _| ());
    assert!(frames == expected);
    assert!(said[0].contains(" frames/s with the GPU compositing, "), "{said:?}");
    // Whoever won: with the GPU, it also says what there is room for.
    assert!(said.len() == 1 || said[1].starts_with("regions     room for 5 of 5"), "{said:?}");

    let (said, frames) = placed(folder, wanted, |_, placement| placement.frames = Some(1499));
    assert!(frames == expected);
    assert!(said.len() == 1 && said[0].contains("was not tried"), "{said:?}");

    let (said, frames) = placed(folder, wanted, |_, placement| placement.plan.budget = Some(1));
    assert!(frames == expected);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("the GPU cannot composite: the GPU may keep 1 bytes"), "{said:?}");

    // The CPU does not do what it is said to do.
    let (said, _) = placed(folder, wanted, |stages, _| {
        let cubic = Compositor::new(
            CompositorChoice::Scalar,
            Interpolation::Cubic,
            stages.backend.geometry(),
            stages.frame,
            &stages.rects,
        );
        stages.compositor = cubic.unwrap();
    });
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("it makes other frames than the CPU"), "{said:?}");

    for change in [CompositorChoice::Scalar, CompositorChoice::Auto] {
        let (said, frames) = placed(folder, wanted, |_, placement| {
            placement.choice = change;
            placement.interpolation = Interpolation::Cubic;
        });
        assert!(frames == expected && said.is_empty(), "{said:?}");
    }
    assert_eq!(control.census(), Vec::<String>::new());
}

#[test]
fn a_budget_that_is_too_small_and_a_second_wish_are_refused() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 40);
    for flavour in flavours {
        control.reset();
        let told = Arc::<Told>::default();
        let wanted = Wanted { regions: Some(15), ..Wanted::new(flavour) }.on_device();
        let error = render(folder.path(), wanted, || open(wanted, &told), 4).unwrap_err();
        let error = chain(&error);
        let (budget, needed) = (15 * REGION_BYTES, 16 * REGION_BYTES);
        assert!(error.contains(&format!("may keep {budget} bytes of frames")), "{error}");
        assert!(error.contains(&format!("the 16 that are in flight need {needed}")), "{error}");
        assert_eq!(control.census(), Vec::<String>::new());
    }
    let error = Exact::new()
        .composite_on_device(&DevicePlan { rects: &[], stored: true, budget: None, cache: None })
        .unwrap_err();
    let text = "compositor cuda was asked for, but the backend is exact; use --backend tensorrt";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[test]
fn kernels_that_are_kept_and_spoiled_are_compiled_again() {
    let (control, flavours) = stand_ins();
    let Some(&flavour) = flavours.first() else { return };
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    let cache = folder.path().join("kept");
    let told = Arc::<Told>::default();
    let mut backend = open(Wanted::new(flavour), &told).unwrap();
    let kept = kernels::kept_at(&cache, backend.device().compute_capability);
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, ".entry something_else(").unwrap();
    let package = Package::open(folder.path(), backend.geometry(), Inputs::Package).unwrap();
    let done = on_device(&mut backend, &package, Wanted::new(flavour), &cache);
    match engine::cuda::Compiler::find() {
        Ok(_) => {
            assert_eq!(
                done.unwrap(),
                format!("room for 3 of 3 frames on the GPU ({REGION_BYTES} bytes each)")
            );
            let ptx = std::fs::read_to_string(&kept).unwrap();
            assert!(ptx.contains(".visible .entry composite_f32("));
        }
        Err(missing) => {
            eprintln!("SKIPPED in part: {missing}");
            assert!(done.unwrap_err().to_string().contains("scripts/fetch-nvrtc"));
        }
    }
    drop(backend);
    assert_eq!(control.census(), Vec::<String>::new());
}

#[test]
fn any_call_may_fail_and_nothing_is_lost() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    let expected = expected(folder.path(), 14);
    for wanted in ways(flavours) {
        let flavour = format!("{}, compositor {}", wanted.flavour, wanted.compositor);
        let mut errors = 0;
        for nth in 1.. {
            control.reset();
            // 719: the launch failed.
            control.fail("*", nth, 719);
            let told = Arc::<Told>::default();
            let result = render(folder.path(), wanted, || open(wanted, &told), 14);
            let reached = control.calls("*") >= u64::from(nth);
            match result {
                // The call was one whose failure does not matter, such as a capture.
                Ok(frames) => assert!(frames == expected, "{flavour}, call {nth}"),
                Err(error) => {
                    assert!(reached, "{flavour}, call {nth} was not made: {error}");
                    assert!(matches!(error, PipelineError::Backend(_)), "{flavour}: {error:?}");
                    errors += 1;
                }
            }
            assert_eq!(control.census(), Vec::<String>::new(), "{flavour}, call {nth}");
            if !reached {
                break;
            }
        }
        assert!(errors > 50, "{flavour}: only {errors} calls that matter were made");
    }
}

#[test]
fn a_device_that_is_lost_in_the_middle_ends_the_run() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    for wanted in ways(flavours) {
        let flavour = format!("{}, compositor {}", wanted.flavour, wanted.compositor);
        for call in ["cuEventSynchronize", "cuMemcpyHtoDAsync_v2", "cuGraphLaunch"] {
            control.reset();
            let told = Arc::<Told>::default();
            let result = render(
                folder.path(),
                wanted,
                || {
                    let backend = open(wanted, &told)?;
                    // All calls from now on: 700 is an illegal address, which a device keeps.
                    control.fail(call, 0, 700);
                    Ok(backend)
                },
                40,
            );
            let error = format!("{:#}", chain(&result.unwrap_err()));
            assert!(error.contains("CUDA_ERROR_ILLEGAL_ADDRESS"), "{flavour}, {call}: {error}");
            assert_eq!(control.census(), Vec::<String>::new(), "{flavour}, {call}");
        }
    }
}

/// An error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn a_network_that_cannot_be_captured_runs_without_graphs() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    let expected = expected(folder.path(), 30);
    for flavour in flavours {
        control.reset();
        control.fail("cuStreamEndCapture", 0, 900);
        let told = Arc::<Told>::default();
        let wanted = Wanted::new(flavour);
        let frames = render(folder.path(), wanted, || open(wanted, &told), 30).unwrap();
        assert!(frames == expected);
        let warnings = told.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("CUDA graphs are off"), "{warnings:?}");
        assert_eq!(control.calls("cuGraphLaunch"), 0);
    }
}

/// A filled batch of one frame.
fn batch(backend: &TensorRt, assembler: &Assembler, store: &FrameStore) -> HostBatch {
    let mut batch = backend.allocate(1).unwrap();
    let sample = store.source(0..1, 8).unwrap().next().unwrap().unwrap();
    assembler.push(&mut batch, sample);
    batch
}

fn store(folder: &Path, backend: &TensorRt) -> (FrameStore, Assembler) {
    let package = Arc::new(Package::open(folder, backend.geometry(), Inputs::Package).unwrap());
    let options = StoreOptions { mode: StoreMode::Ram, ram_budget: 1 << 30, decode_threads: 1 };
    let store = FrameStore::open(Arc::clone(&package), &options, &mut |_, _| ()).unwrap();
    (store, Assembler::new(package.features().unwrap()))
}

#[test]
fn three_lanes_upload_compute_and_download_at_the_same_time() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    for flavour in flavours {
        control.reset();
        let told = Arc::<Told>::default();
        let mut backend = open(Wanted { lanes: 3, ..Wanted::new(flavour) }, &told).unwrap();
        assert_eq!(backend.max_in_flight(), 3);
        let (store, assembler) = store(folder.path(), &backend);

        control.hold("download");
        let oldest = backend.enqueue(batch(&backend, &assembler, &store)).unwrap();
        control.wait_running("download", 1);
        control.hold("host");
        let middle = backend.enqueue(batch(&backend, &assembler, &store)).unwrap();
        control.wait_running("host", 1);
        control.hold("upload");
        let newest = backend.enqueue(batch(&backend, &assembler, &store)).unwrap();
        control.wait_running("upload", 1);
        // All three at one moment: none of them has gone on.
        control.wait_running("host", 1);
        control.wait_running("download", 1);

        let error = backend.enqueue(batch(&backend, &assembler, &store)).unwrap_err();
        assert!(error.to_string().contains("all lanes are taken"), "{error}");

        for operation in ["upload", "host", "download"] {
            control.release(operation);
        }
        let mut done: Vec<Completed> =
            [oldest, middle, newest].map(|flying| backend.wait(flying).unwrap()).into();
        let ends: Vec<_> = done.iter_mut().map(|batch| batch.trace_mut().infer.end).collect();
        assert!(ends.is_sorted());
        let predictions: Vec<Vec<f32>> =
            done.iter_mut().map(|batch| planes(batch.split().1.get(0, 0))).collect();
        assert!(predictions[0] == predictions[1] && predictions[1] == predictions[2]);
        assert!(predictions[0].iter().any(|value| *value > 0.1));
        drop((done, backend));
        assert_eq!(control.census(), Vec::<String>::new());
    }
}

/// What is destroyed of TensorRT, in order, and how much of it before the log is let go.
#[test]
fn context_engine_runtime_and_logger_go_in_this_order() {
    /// Counts the log's lines at the time it is dropped.
    struct Last(&'static Control, Arc<Mutex<Option<usize>>>);

    impl Log for Last {
        fn message(&self, _severity: Severity, _text: &str) {}
    }

    impl Drop for Last {
        fn drop(&mut self) {
            *self.1.lock().unwrap() = Some(self.0.events().len());
        }
    }

    let (_turn, flavours) = stand_ins();
    let control = engine_doubles::control();
    for flavour in flavours {
        control.reset();
        let dropped = Arc::<Mutex<Option<usize>>>::default();
        let file = engine_doubles::tensorrt_library(flavour).unwrap();
        let log = Arc::new(Last(control, dropped.clone()));
        let library = Library::open(flavour, &file, log).unwrap();
        let options = TensorRtOptions {
            library,
            log: Arc::<Told>::default(),
            lanes: 2,
            graphs: true,
            host_code: false,
        };
        let plan = engine_doubles::plan(flavour, SIDE, [1, 4, 8]);
        let context = Context::new(0).unwrap();
        let backend =
            TensorRt::from_bytes(Path::new("p.engine"), &plan, &context, &options).unwrap();
        // The backend alone keeps what it needs.
        drop((options, context));
        assert_eq!(*dropped.lock().unwrap(), None);
        drop(backend);

        let events = control.events();
        let at = |what: &str| {
            let found = events.iter().rposition(|event| event == &format!("destroy {what}"));
            found.unwrap_or_else(|| panic!("no \"destroy {what}\" in {events:?}"))
        };
        let logger = dropped.lock().unwrap().expect("the logger was kept");
        assert!(at("context") < at("engine"), "{events:?}");
        assert!(at("engine") < at("runtime"), "{events:?}");
        assert!(at("runtime") < logger, "{events:?}");
        assert_eq!(control.census(), Vec::<String>::new());
    }
}

#[test]
fn a_library_of_another_major_version_is_only_asked_for_its_version() {
    let (control, flavours) = stand_ins();
    for flavour in &flavours {
        for other in flavours.iter().filter(|other| *other != flavour) {
            let file = engine_doubles::tensorrt_library(*other).unwrap();
            control.reset();
            let error = Library::open(*flavour, &file, Arc::<Told>::default()).err().unwrap();
            let Error::WrongVersion { found, .. } = error else { panic!("{error}") };
            assert_eq!(found.major, other.major());
            for call in ["createInferRuntime", "createInferBuilder"] {
                assert_eq!(control.calls(call), 0);
            }
        }
    }
}

#[test]
fn engines_that_do_not_fit_say_why() {
    let (control, flavours) = stand_ins();
    for flavour in flavours {
        let good = engine_doubles::plan(flavour, SIDE, [1, 4, 8]);
        let version = format!("version {}", flavour.headers().unwrap());
        let cases: [(&str, Vec<u8>, &str); 3] = [
            ("another version", engine_doubles::altered(&good, &version, "version 9.9.9.9"), "9.9"),
            ("cut short", good[..good.len() / 2].to_vec(), ""),
            ("no engine", b"nothing of the kind".to_vec(), ""),
        ];
        for (what, plan, words) in cases {
            let told = Arc::<Told>::default();
            let error = open_plan(Wanted::new(flavour), &plan, &told).err();
            let Some(BackendError::TensorRt(error)) = error else { panic!("{what}: {error:?}") };
            let text = error.to_string();
            assert!(text.contains("deserializeCudaEngine") && text.contains(words), "{text}");
            assert_eq!(control.census(), Vec::<String>::new(), "{flavour}, {what}");
        }
    }
}

#[test]
fn batches_have_the_engines_limits() {
    let (_control, flavours) = stand_ins();
    for flavour in flavours {
        let told = Arc::<Told>::default();
        let backend = open(Wanted::new(flavour), &told).unwrap();
        assert_eq!(backend.batch_limit(), BatchLimit::UpTo(8));
        let error = backend.allocate(9).unwrap_err().to_string();
        assert!(error.contains("at most 8") && error.contains("--batch 8"), "{error}");
    }
}

#[test]
fn a_runtime_that_is_a_small_number_is_no_runtime() {
    // What the real libraries give where there is no driver.
    let (control, flavours) = stand_ins();
    for flavour in flavours {
        control.reset();
        control.fail("createInferRuntime", 1, 0x228);
        let error = open(Wanted::new(flavour), &Arc::<Told>::default()).err().unwrap();
        assert!(error.to_string().contains("creating a runtime failed"), "{error}");
        assert_eq!(control.census(), Vec::<String>::new());
    }
}
