//! ONNX Runtime's CUDA provider from the network to the sink, over a stand-in for its library that
//! computes in host memory what it is given on a stream of the stand-in for the driver.
//!
//! The stand-ins share one control, so the tests take turns.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::path::{Path, PathBuf};

use engine::backend::{
    Backend, BackendError, BatchLimit, OnnxRuntimeCuda, OnnxRuntimeCudaOptions, find_onnxruntime,
};
use engine::dataset::{Inputs, Package};
use engine::sample::Batch;
use engine_doubles::Exclusive;

use crate::support::gpu::{
    Wanted, any_call_may_fail, batch, chain, expected, expected_of, on_device, planes, render,
    render_traced, store,
};
use crate::support::{SIDE, package, package_of};

/// The stand-ins, for this test alone, and the stand-in for ONNX Runtime; `None` where there is no
/// library for it to stand on.
fn stand_ins() -> (Exclusive, Option<PathBuf>) {
    engine_doubles::cuda();
    let library = match find_onnxruntime(None) {
        Ok(real) => Some(engine_doubles::onnxruntime(&real)),
        Err(error) => {
            eprintln!("SKIPPED: {error}; run scripts/setup");
            None
        }
    };
    (engine_doubles::control().exclusive(), library)
}

/// Neither TensorRT nor graphs; batches of up to 4.
fn wanted() -> Wanted {
    Wanted { graphs: false, profile: [1, 4, 4], ..Wanted::new(None) }
}

fn open(folder: &Path, library: &Path, wanted: Wanted) -> Result<OnnxRuntimeCuda, BackendError> {
    let [.., largest_batch] = wanted.profile;
    let options = OnnxRuntimeCudaOptions {
        library: library.to_owned(),
        device: 0,
        threads: 1,
        lanes: wanted.lanes,
        largest_batch,
    };
    let model = Package::find_model(folder).unwrap().unwrap();
    OnnxRuntimeCuda::open(&model, &options)
}

#[test]
fn frames_are_those_of_the_exact_network_wherever_they_are_composited() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 5);
    for inputs in [Inputs::Package, Inputs::Derived] {
        // A short last batch, which runs at full size.
        let expected = expected_of(folder, inputs, 23);
        for (lanes, largest, regions, on_gpu) in [
            (1, 4, None, false),
            (2, 8, None, false),
            (1, 4, None, true),
            (3, 4, None, true),
            // No more than what is in flight.
            (1, 4, Some(4), true),
        ] {
            control.reset();
            let wanted = Wanted { lanes, profile: [1, 4, largest], inputs, regions, ..wanted() };
            let wanted = if on_gpu { wanted.on_device() } else { wanted };
            let frames = render(folder, wanted, || open(folder, &library, wanted), 23).unwrap();
            assert!(frames == expected, "{wanted:?}");
            assert_eq!(control.census(), Vec::<String>::new(), "{wanted:?}");
        }
    }
}

#[test]
fn two_lanes_compute_at_the_same_time() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 3);
    let mut backend = open(folder, &library, wanted()).unwrap();
    assert_eq!((backend.name(), backend.provider()), ("onnxruntime", "CUDAExecutionProvider"));
    assert_eq!((backend.max_in_flight(1), backend.batch_limit()), (2, BatchLimit::Any));
    let (store, assembler) = store(folder, &backend);
    control.hold("run");
    let first = backend.enqueue(batch(&backend, &assembler, &store)).unwrap();
    let second = backend.enqueue(batch(&backend, &assembler, &store)).unwrap();
    control.wait_running("run", 2);
    let error = backend.enqueue(batch(&backend, &assembler, &store)).unwrap_err();
    assert!(error.to_string().contains("all lanes are taken"), "{error}");
    control.release("run");
    let predictions =
        [first, second].map(|flying| planes(backend.wait(flying).unwrap().split().1.get(0, 0)));
    assert!(predictions[0] == predictions[1] && predictions[0].iter().any(|value| *value > 0.1));
    drop(backend);
    assert_eq!(control.census(), Vec::<String>::new());
}

#[test]
fn what_runs_leave_behind_does_not_grow_with_the_video() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 3);
    let mut backend = open(folder, &library, Wanted { lanes: 1, ..wanted() }).unwrap();
    let (store, assembler) = store(folder, &backend);
    let mut most = 0;
    for _ in 0..520 {
        let flying = backend.enqueue(batch(&backend, &assembler, &store)).unwrap();
        drop(backend.wait(flying).unwrap());
        most = most.max(control.count("table"));
    }
    // Twice 255 runs that did not wait, and one that did after each.
    assert_eq!((most, control.count("table")), (255, 520 - 2 * 256));
    drop(backend);
    let left = control.events().iter().any(|event| event == "session ends with tables");
    assert!(!left, "the last of them go before the session");
    assert_eq!(control.census(), Vec::<String>::new());
}

#[test]
fn the_device_says_what_it_took_and_sends_patches() {
    let (_control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 5);
    let wanted = Wanted { inputs: Inputs::Derived, ..wanted() }.on_device();
    let (_, traces) = render_traced(folder, wanted, || open(folder, &library, wanted), 10).unwrap();
    // Two full batches and a short one, each whole: jobs, crops that come for the first time, and the
    // rows that the batch before did not bring.
    let crop = 3 * (SIDE as u64 + 8) * (SIDE as u64 + 8);
    let sent: Vec<_> = traces.iter().map(|trace| trace.device.unwrap()).collect();
    let expected = [(4, 4, 16 + 3), (4, 1, 4), (4, 0, 2)]
        .map(|(jobs, crops, rows)| (jobs * 72 + crops * crop + rows * 4 * 512, crops * crop));
    assert_eq!([0, 1, 2].map(|k| (sent[k].bytes_up, sent[k].bytes_kept)), expected);
    for device in sent {
        assert!(device.bytes_down > 0 && device.bytes_down < 4 * 3 * (SIDE * SIDE) as u64 * 4);
    }
    assert_eq!(traces.len(), 3);
}

#[test]
fn compositing_goes_back_to_the_cpu() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 5);
    let back = || -> Result<_, BackendError> {
        control.reset();
        let mut backend = open(folder, &library, wanted())?;
        let package = Package::open(folder, backend.geometry(), Inputs::Package).unwrap();
        on_device(&mut backend, &package, wanted(), &folder.join("kept"))?;
        backend.composite_on_host()?;
        // Sessions are slow to open: they stay.
        assert_eq!(control.calls("CreateSession"), 2);
        Ok(backend)
    };
    let frames = render(folder, wanted(), back, 9).unwrap();
    assert!(frames == expected(folder, 9));
    assert_eq!(control.census(), Vec::<String>::new());
}

#[test]
fn whichever_call_fails_it_is_said_and_nothing_is_left() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 3);
    let expected = expected(folder, 6);
    for wanted in [wanted(), wanted().on_device()] {
        let run = || render(folder, wanted, || open(folder, &library, wanted), 6);
        any_call_may_fail(&control, &format!("{wanted:?}"), &expected, run, |error| {
            let error = chain(error);
            assert!(error.contains("CUDA") || error.contains("GPU"), "{error}");
        });
    }
}

#[test]
fn a_run_that_should_have_waited_and_failed_is_made_up_for() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 3);
    for (call, nth) in [("Run", 256), ("cuStreamSynchronize", 1)] {
        let mut backend = open(folder, &library, Wanted { lanes: 1, ..wanted() }).unwrap();
        let (store, assembler) = store(folder, &backend);
        control.reset();
        control.fail(call, nth, 719);
        let error = loop {
            let flying = match backend.enqueue(batch(&backend, &assembler, &store)) {
                Ok(flying) => flying,
                Err(error) => break error,
            };
            drop(backend.wait(flying).unwrap());
        };
        assert_eq!(control.calls("Run"), 256, "{call}");
        assert!(chain(&error).starts_with("ONNX Runtime failed running the network"), "{error}");
        drop(backend);
        let left = control.events().iter().any(|event| event == "session ends with tables");
        assert!(!left, "{call}");
    }
}

#[test]
fn batches_of_all_sizes_run_on_the_same_sessions_at_the_size_they_were_made_for() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package(folder, 5);
    let mut backend = open(folder, &library, wanted()).unwrap();
    let (store, assembler) = store(folder, &backend);
    let opened = control.calls("CreateSession");
    let mut one = |capacity: usize, frames: u64| {
        let mut batch = backend.allocate(capacity).unwrap();
        for sample in store.source(0..frames, 8).unwrap() {
            assembler.push(&mut batch, sample.unwrap());
        }
        let flying = backend.enqueue(batch).unwrap();
        let mut done = backend.wait(flying).unwrap();
        let down = done.trace_mut().device.unwrap().bytes_down;
        let (_, predictions) = done.split();
        ((0..frames).map(|k| planes(predictions.get(k as usize, k))).collect::<Vec<_>>(), down)
    };
    let frame = 4 * 3 * (SIDE * SIDE) as u64;
    let (expected, down) = one(4, 4);
    assert_eq!(down, 4 * frame);
    // More of them than there are lanes, so that each has several sizes.
    for (capacity, frames) in [(4, 1), (1, 1), (3, 2), (2, 2), (4, 4), (1, 1)] {
        let (found, down) = one(capacity, frames);
        assert!(found[..] == expected[..frames as usize], "{frames} frames in {capacity}");
        assert_eq!(down, capacity as u64 * frame, "{frames} frames in {capacity}");
    }
    assert_eq!(control.calls("CreateSession"), opened);
}

#[test]
fn a_fixed_batch_runs_whole() {
    let (control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    package_of(folder, 5, Batch::Fixed(4));
    let expected = expected(folder, 10);
    for wanted in [wanted(), wanted().on_device()] {
        let open = || {
            // The network has the last word.
            let backend = open(folder, &library, Wanted { profile: [1; 3], ..wanted })?;
            assert_eq!(backend.batch_limit(), BatchLimit::Fixed(4));
            assert!(backend.allocate(3).is_err());
            Ok(backend)
        };
        let frames = render(folder, wanted, open, 10).unwrap();
        assert!(frames == expected, "{wanted:?}");
    }
    assert_eq!(control.census(), Vec::<String>::new());
}

#[test]
fn batches_beyond_the_lanes_are_refused() {
    let (_control, Some(library)) = stand_ins() else { return };
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    let backend = open(folder.path(), &library, wanted()).unwrap();
    let error = backend.allocate(5).unwrap_err().to_string();
    assert!(error.contains("larger than the largest"), "{error}");
}
