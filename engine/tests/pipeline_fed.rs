//! Runs whose speech comes in while they go on.

#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use engine::dataset::{FeatureWriter, Speech, StoreMode, feature_feed};
use engine::frame::OutputFrame;
use engine::pipeline::{CancelToken, Mode, Pipeline, PipelineError};
use engine::sink::SinkError;
use support::{Collect, Each, Exact, Setting, package, pipeline};

const MODES: [Mode; 2] = [Mode::Sequential, Mode::Pipelined];

/// No wait of a test that goes well takes this long.
const LONG: Duration = Duration::from_secs(20);

fn with_package(frames: usize, test: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    package(&folder, frames);
    test(&folder);
}

/// `count` rows, no two alike, half of their values above the threshold of the exact network.
fn rows(count: usize) -> Vec<f32> {
    (0..count * 512).map(|i| ((i / 512 * 37 + i % 512 * 5) % 101) as f32 / 101.0).collect()
}

fn made(folder: &Path, setting: Setting) -> Pipeline {
    pipeline(folder, setting, 1, Box::new(Exact::new()))
}

#[test]
fn fed_speech_gives_the_bytes_of_known_speech() {
    with_package(5, |folder| {
        for (count, chunk) in [(1, 1), (7, 2), (8, 8), (23, 1), (23, 5), (40, 40)] {
            let values = rows(count);
            for mode in MODES {
                for store in [StoreMode::Ram, StoreMode::Stream] {
                    let setting = Setting { mode, store, ..Setting::default() };
                    let mut pipeline = made(folder, setting);
                    let known = Collect::default();
                    let features = engine::dataset::Features::from_rows(values.clone());
                    let speech = Speech::Known { features, shown: 0..count as u64 };
                    let token = CancelToken::new();
                    pipeline.run_speech(speech, Box::new(known.clone()), &token).unwrap();

                    let fed = Collect::default();
                    let (mut writer, reader) = feature_feed(3);
                    let report = std::thread::scope(|scope| {
                        scope.spawn(|| {
                            for chunk in values.chunks(chunk * 512) {
                                writer.write_all(chunk, token.signal()).unwrap();
                            }
                            drop(writer);
                        });
                        let sink = Box::new(fed.clone());
                        pipeline.run_speech(Speech::Fed(reader), sink, &token).unwrap()
                    });
                    let (known, fed) = (known.take(), fed.take());
                    assert!(fed.finished && !report.cancelled);
                    assert_eq!(report.frames, count as u64);
                    assert_eq!(report.traces.iter().map(|t| t.frames).sum::<usize>(), count);
                    assert!(known.frames == fed.frames, "{count} rows by {chunk}, {setting:?}");
                }
            }
        }
    });
}

/// A run on a thread of its own whose frames are reported as they come.
fn live(
    mut pipeline: Pipeline,
    test: impl FnOnce(FeatureWriter, &mpsc::Receiver<u64>, &CancelToken),
) -> engine::pipeline::RunReport {
    let (writer, reader) = feature_feed(64);
    let (out, indices) = mpsc::channel();
    let token = CancelToken::new();
    let sink = Each(move |frame: OutputFrame| {
        out.send(frame.index).unwrap();
        Ok(())
    });
    std::thread::scope(|scope| {
        let run = scope.spawn(|| pipeline.run_speech(Speech::Fed(reader), Box::new(sink), &token));
        test(writer, &indices, &token);
        run.join().unwrap().unwrap()
    })
}

#[test]
fn a_frame_comes_as_soon_as_the_seventh_row_after_its_own_is_there() {
    with_package(3, |folder| {
        for mode in MODES {
            // A batch of four would wait for rows up to the tenth.
            let setting = Setting { mode, batch: 4, ..Setting::default() };
            let report = live(made(folder, setting), |mut writer, frames, _| {
                let values = rows(20);
                let mut rows = values.chunks(512);
                for row in rows.by_ref().take(8) {
                    writer.write(row).unwrap();
                }
                assert_eq!(frames.recv_timeout(LONG), Ok(0));
                for (k, row) in (1..).zip(rows) {
                    writer.write(row).unwrap();
                    assert_eq!(frames.recv_timeout(LONG), Ok(k));
                }
                drop(writer);
                assert_eq!(frames.iter().collect::<Vec<_>>(), (13..20).collect::<Vec<_>>());
            });
            assert_eq!((report.frames, report.cancelled), (20, false));
        }
    });
}

#[test]
fn rows_that_gather_are_run_in_full_batches() {
    with_package(3, |folder| {
        let (mut writer, reader) = feature_feed(64);
        writer.write(&rows(18)).unwrap();
        drop(writer);
        let mut pipeline = made(folder, Setting { batch: 4, ..Setting::default() });
        let (sink, token) = (Box::new(Collect::default()), CancelToken::new());
        let report = pipeline.run_speech(Speech::Fed(reader), sink, &token).unwrap();
        let batches: Vec<usize> = report.traces.iter().map(|trace| trace.frames).collect();
        assert_eq!(batches, [4, 4, 4, 4, 2]);
    });
}

#[test]
fn speech_without_rows_has_no_frames() {
    with_package(2, |folder| {
        for mode in MODES {
            let (writer, reader) = feature_feed(1);
            drop(writer);
            let sink = Collect::default();
            let report = made(folder, Setting { mode, ..Setting::default() })
                .run_speech(Speech::Fed(reader), Box::new(sink.clone()), &CancelToken::new())
                .unwrap();
            let collected = sink.take();
            assert_eq!((report.frames, report.cancelled, collected.finished), (0, false, true));
        }
    });
}

#[test]
fn cancelling_wakes_a_run_that_waits_for_rows() {
    with_package(2, |folder| {
        for mode in MODES {
            for store in [StoreMode::Ram, StoreMode::Stream] {
                let setting = Setting { mode, store, ..Setting::default() };
                let report = live(made(folder, setting), |mut writer, frames, token| {
                    writer.write(&rows(9)).unwrap();
                    assert_eq!(frames.recv_timeout(LONG), Ok(0));
                    assert_eq!(frames.recv_timeout(LONG), Ok(1));
                    // The writer stays: only the token ends the run.
                    token.cancel();
                    assert_eq!(frames.iter().next(), None);
                });
                assert_eq!((report.frames, report.cancelled), (2, true));
            }
        }
    });
}

#[test]
fn a_stage_that_fails_ends_a_run_that_waits_for_rows() {
    with_package(2, |folder| {
        for (mode, panics) in
            [(Mode::Sequential, false), (Mode::Pipelined, false), (Mode::Pipelined, true)]
        {
            let mut pipeline = made(folder, Setting { mode, ..Setting::default() });
            let (mut writer, reader) = feature_feed(64);
            writer.write(&rows(8)).unwrap();
            let sink = Each(move |_: OutputFrame| {
                assert!(!panics, "told to panic");
                Err(SinkError::Closed)
            });
            let token = CancelToken::new();
            let error =
                pipeline.run_speech(Speech::Fed(reader), Box::new(sink), &token).unwrap_err();
            match panics {
                true => assert!(matches!(error, PipelineError::Panicked { stage: "save" })),
                false => assert!(matches!(error, PipelineError::Sink(SinkError::Closed))),
            }
            assert!(writer.write(&rows(1)).is_err(), "the feed is closed");
        }
    });
}
