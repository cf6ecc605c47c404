//! Frames, batches and lanes.

use std::sync::Arc;

use engine::backend::Backend;
use engine::backend::BatchLimit;
use engine::batch::Completed;

use crate::rig::{Told, open, stand_ins};
use crate::support::gpu::{Wanted, batch, expected, planes, render, store};
use crate::support::package;

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

#[test]
fn three_lanes_upload_compute_and_download_at_the_same_time() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    for flavour in flavours {
        control.reset();
        let told = Arc::<Told>::default();
        let mut backend = open(Wanted { lanes: 3, ..Wanted::new(flavour) }, &told).unwrap();
        assert_eq!(backend.max_in_flight(1), 3);
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
