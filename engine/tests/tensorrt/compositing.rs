//! Compositing on the device.

use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::backend::{Backend, DevicePlan, TensorRt};
use engine::batch::BatchTrace;
use engine::composite::{Compositor, CompositorChoice, Interpolation, KernelLevel};
use engine::cuda::kernels;
use engine::dataset::{Features, Inputs, Pace, Package, Speech, feature_feed};
use engine::pipeline::{CancelToken, Pipeline, Placement, Stages};

use crate::rig::{Told, open, stand_ins};
use crate::support::gpu::{
    OPTIONS, REGION_BYTES, Wanted, chain, expected, expected_of, on_device, render, render_traced,
    stages, store,
};
use crate::support::{Collect, Exact, SIDE, Setting, package, pipeline};

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
fn what_is_heard_is_the_same_however_rows_come_and_how_often_the_ring_went_round() {
    let (control, flavours) = stand_ins();
    let Some(&flavour) = flavours.first() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 5);
    let values: Vec<f32> =
        (0..150 * 512).map(|i| ((i / 512 * 37 + i % 512 * 5) % 101) as f32 / 101.0).collect();
    let paced = |rate: &str| {
        let features = Features::from_rows(values.clone()).at_pace(Pace::of(rate.parse().unwrap()));
        let frames = features.frames();
        Speech::Known { features, shown: 0..frames }
    };
    let run = |pipeline: &mut Pipeline, speech: Speech| {
        let sink = Collect::default();
        pipeline.run_speech(speech, Box::new(sink.clone()), &CancelToken::new()).unwrap();
        sink.take().frames
    };
    let mut on_cpu = pipeline(folder, Setting::default(), 1, Box::new(Exact::new()));
    for (lanes, regions) in [(1, None), (3, Some(12))] {
        let profile = [1, 4, 4];
        let wanted = Wanted { lanes, regions, profile, ..Wanted::new(flavour) }.on_device();
        let mut backend = open(wanted, &Arc::<Told>::default()).unwrap();
        let package = Arc::new(Package::open(folder, backend.geometry(), wanted.inputs).unwrap());
        on_device(&mut backend, &package, wanted, &folder.join("kept")).unwrap();
        let stages = stages(Box::new(backend), &package, wanted, 1);
        // One after the other on the same backend: the ring goes on where it was.
        let mut pipeline = Pipeline::new(stages, OPTIONS).unwrap();
        for rate in ["25", "50", "30", "12.5", "25"] {
            let expected = run(&mut on_cpu, paced(rate));
            assert!(run(&mut pipeline, paced(rate)) == expected, "{lanes} lanes, {rate} frames/s");
        }
        let fed = std::thread::scope(|scope| {
            let (mut writer, reader) = feature_feed(3);
            let token = CancelToken::new();
            let values = &values;
            scope.spawn(move || {
                for chunk in values.chunks(7 * 512) {
                    writer.write_all(chunk, token.signal()).unwrap();
                }
            });
            run(&mut pipeline, Speech::Fed(reader))
        });
        assert!(fed == run(&mut on_cpu, paced("25")), "{lanes} lanes");
        drop(pipeline);
        assert_eq!(control.census(), Vec::<String>::new());
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
            // Of each frame also a job and a feature row, and of the first one those before that.
            let others = 36 * (72 + 512 * 4) + 15 * 512 * 4;
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
