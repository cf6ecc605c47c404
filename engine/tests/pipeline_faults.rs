//! Errors, cancellation and overlap of the pipeline.

#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::sync::mpsc;
use std::time::Duration;

use engine::dataset::StoreMode;
use engine::frame::OutputFrame;
use engine::pipeline::{CancelToken, Mode, PipelineError};
use engine::sink::{Sink, SinkError};
use support::{Collect, Each, Exact, Setting, broken, package, pipeline};

const MODES: [Mode; 2] = [Mode::Sequential, Mode::Pipelined];

fn with_package(frames: usize, test: impl Fn(&std::path::Path)) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    package(&folder, frames);
    test(&folder);
}

#[test]
fn a_backend_error_ends_the_run_and_is_what_the_caller_gets() {
    with_package(5, |folder| {
        for mode in MODES {
            let mut backend = Exact::new();
            backend.on_enqueue = Box::new(|number| match number {
                3 => Err(broken("told to fail at batch 3")),
                _ => Ok(()),
            });
            let setting = Setting { mode, batch: 2, ..Setting::default() };
            let mut pipeline = pipeline(folder, setting, 40, Box::new(backend));
            let sink = Collect::default();
            let error = pipeline.run(40, Box::new(sink.clone()), &CancelToken::new()).unwrap_err();
            assert!(matches!(error, PipelineError::Backend(_)), "{error}");
            assert!(error.to_string().contains("told to fail at batch 3"));
            let collected = sink.take();
            assert!(!collected.finished, "a sink is not finished after an error");
            assert!(collected.frames.len() <= 6);
            // The same pipeline can be run again: its buffers are restocked.
            let again = Collect::default();
            pipeline.run(5, Box::new(again.clone()), &CancelToken::new()).unwrap();
            assert_eq!(again.take().frames.len(), 5);
        }
    });
}

#[test]
fn a_sink_error_ends_the_run_in_both_stores() {
    with_package(5, |folder| {
        for mode in MODES {
            for store in [StoreMode::Ram, StoreMode::Stream] {
                let setting = Setting { mode, store, ..Setting::default() };
                let mut pipeline = pipeline(folder, setting, 100, Box::new(Exact::new()));
                let sink = Each(|frame: OutputFrame| match frame.index {
                    7 => Err(SinkError::Closed),
                    _ => Ok(()),
                });
                let error = pipeline.run(100, Box::new(sink), &CancelToken::new()).unwrap_err();
                assert!(matches!(error, PipelineError::Sink(SinkError::Closed)), "{error}");
            }
        }
    });
}

#[test]
fn a_frame_that_disappears_is_a_dataset_error() {
    with_package(6, |folder| {
        let setting = Setting { store: StoreMode::Stream, ..Setting::default() };
        let mut pipeline = pipeline(folder, setting, 60, Box::new(Exact::new()));
        std::fs::write(folder.join("full_body_img/4.png"), b"\x89PNG\r\n\x1a\nnot really").unwrap();
        let sink = Collect::default();
        let error = pipeline.run(60, Box::new(sink.clone()), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, PipelineError::Dataset(_)), "{error}");
        assert!(error.to_string().contains("4.png"), "{error}");
        assert!(!sink.take().finished);
        std::fs::remove_file(folder.join("full_body_img/4.png")).unwrap();
    });
}

#[test]
fn a_panicking_sink_is_reported_and_every_thread_joined() {
    with_package(3, |folder| {
        let mut pipeline = pipeline(folder, Setting::default(), 50, Box::new(Exact::new()));
        let sink = Each(|frame: OutputFrame| {
            assert!(frame.index < 5, "told to panic");
            Ok(())
        });
        let error = pipeline.run(50, Box::new(sink), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, PipelineError::Panicked { stage: "save" }), "{error}");
    });
}

#[test]
fn cancelling_finishes_the_frames_in_flight() {
    with_package(4, |folder| {
        for mode in MODES {
            let cancel = CancelToken::new();
            let sink = Collect::default();
            let watching = CancelAtFive { inner: sink.clone(), token: cancel.clone() };
            let mut pipeline = pipeline(
                folder,
                Setting { mode, ..Setting::default() },
                10_000,
                Box::new(Exact::new()),
            );
            let report = pipeline.run(10_000, Box::new(watching), &cancel).unwrap();
            let collected = sink.take();
            assert!(report.cancelled && collected.finished);
            assert_eq!(report.frames, collected.frames.len() as u64);
            assert!((6..10_000).contains(&report.frames), "{}", report.frames);
            // Whole batches, in order, none missing.
            assert_eq!(report.frames % 4, 0);
            assert!(collected.frames.iter().enumerate().all(|(k, (i, _))| k as u64 == *i));
        }
    });
}

/// Collects, and asks for cancellation at frame 5.
struct CancelAtFive {
    inner: Collect,
    token: CancelToken,
}

impl Sink for CancelAtFive {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        if frame.index == 5 {
            self.token.cancel();
        }
        self.inner.write(frame)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.inner.finish()
    }
}

#[test]
fn the_next_batches_infer_while_the_first_is_saved() {
    with_package(4, |folder| {
        let (enqueued_out, enqueued) = mpsc::channel();
        let mut backend = Exact::new();
        backend.on_enqueue = Box::new(move |number| {
            // The test has ended if nobody listens any more.
            let _gone = enqueued_out.send(number);
            Ok(())
        });
        let mut pipeline = pipeline(folder, Setting::default(), 40, Box::new(backend));
        // The first frame is not let go before the third batch is at the backend: without overlap
        // that never happens, and the time-out fails the test instead of hanging it.
        let sink = Each(move |frame: OutputFrame| {
            if frame.index == 0 {
                let seen =
                    std::iter::from_fn(|| enqueued.recv_timeout(Duration::from_secs(20)).ok());
                assert!(seen.into_iter().any(|number| number == 2), "batch 2 was not enqueued");
            }
            Ok(())
        });
        pipeline.run(40, Box::new(sink), &CancelToken::new()).unwrap();
    });
}

#[test]
fn numbers_out_of_range_are_refused() {
    with_package(1, |folder| {
        let pipeline = pipeline(folder, Setting::default(), 1, Box::new(Exact::new()));
        let options = pipeline.options();
        let mut stages = pipeline.into_stages();
        for (batch, workers, expected) in [
            (0, 1, "--batch is 0; expected 1 to 256"),
            (1, 0, "--workers is 0; expected 1 to 256"),
            (257, 1, "--batch is 257; expected 1 to 256"),
            (1, usize::MAX, "expected 1 to 256"),
        ] {
            let options = engine::pipeline::PipelineOptions { batch, workers, ..options };
            let error = engine::pipeline::Pipeline::new(stages, options).err().unwrap();
            assert!(error.to_string().contains(expected), "{error}");
            stages = support::pipeline(folder, Setting::default(), 1, Box::new(Exact::new()))
                .into_stages();
        }
    });
}
