//! Building engines with NVIDIA's TensorRT-RTX library, which needs no GPU for that.
//!
//! `scripts/test` fetches the library; where it is not there, the tests say so and do nothing.
#![cfg(feature = "tensorrt")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use engine::sample::{Batch, probe};
use engine_sys::{
    BuildOptions, Error, Flavour, InputProfile, Library, Log, NoProgress, Progress, Severity,
};

const SIDE: i64 = 64;

/// The library with its parser, or `None` after saying that the test is skipped.
fn rtx() -> Option<(Library, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/tensorrt/lib/rtx");
    let path = folder.join(Flavour::Rtx.runtime_library());
    if !path.is_file() {
        eprintln!("SKIPPED: no {}; run scripts/fetch-tensorrt-rtx", path.display());
        return None;
    }
    let library = Library::open(Flavour::Rtx, &path, Arc::new(Quiet)).unwrap();
    Some((library, folder.join(Flavour::Rtx.parser_library())))
}

struct Quiet;

impl Log for Quiet {
    fn message(&self, _severity: Severity, _text: &str) {}
}

fn profile(min: i64, opt: i64, max: i64) -> Vec<InputProfile> {
    let input = |name: &str, frame: &[i64]| {
        let shape = |batch: i64| [&[batch], frame].concat();
        InputProfile { name: name.into(), min: shape(min), opt: shape(opt), max: shape(max) }
    };
    vec![input("input", &[6, SIDE, SIDE]), input("audio", &[32, 16, 16])]
}

fn options(min: i64, opt: i64, max: i64) -> BuildOptions {
    BuildOptions { profile: profile(min, opt, max), ..BuildOptions::default() }
}

fn network() -> Vec<u8> {
    probe(SIDE as usize, Batch::Symbolic).to_bytes()
}

/// Counts what it is told; breaks off at step `limit`.
#[derive(Default)]
struct Counting {
    limit: Option<u32>,
    steps: AtomicU32,
    open: Mutex<Vec<String>>,
}

impl Progress for Counting {
    fn phase_start(&self, name: &str, _parent: Option<&str>, _steps: u32) {
        self.open.lock().unwrap().push(name.to_owned());
    }

    fn step(&self, name: &str, _step: u32) -> ControlFlow<()> {
        assert!(self.open.lock().unwrap().iter().any(|open| open == name));
        let count = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        match self.limit {
            Some(limit) if count >= limit => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn phase_finish(&self, name: &str) {
        self.open.lock().unwrap().retain(|open| open != name);
    }
}

#[test]
fn a_build_reports_its_progress_and_fills_a_timing_cache() {
    let Some((library, parser)) = rtx() else { return };
    assert!(library.can_build());
    let progress = Arc::new(Counting::default());
    let built = library.build(&parser, &network(), &options(1, 4, 8), progress.clone()).unwrap();
    assert!(built.engine.len() > 1000 && built.timing_cache.is_none());
    assert!(progress.steps.load(Ordering::Relaxed) > 0);
    assert_eq!(*progress.open.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn a_step_can_end_the_build() {
    let Some((library, parser)) = rtx() else { return };
    let progress = Arc::new(Counting { limit: Some(1), ..Counting::default() });
    let error = library.build(&parser, &network(), &options(1, 4, 8), progress).unwrap_err();
    assert_eq!(error, Error::Cancelled);
}

#[test]
fn what_is_wrong_is_said_and_the_next_build_works() {
    let Some((library, parser)) = rtx() else { return };
    let build = |model: &[u8], options: &BuildOptions| {
        library.build(&parser, model, options, Arc::new(NoProgress))
    };
    let refused = |result: Result<_, Error>| match result {
        Err(Error::Refused { attempt, log, .. }) => format!("{attempt}: {}", log.join("; ")),
        other => panic!("{:?}", other.map(|_built: engine_sys::Built| ())),
    };
    let message = refused(build(b"no model at all", &options(1, 1, 1)));
    assert!(message.contains("parser refused"), "{message}");

    let mut unsupported = probe(SIDE as usize, Batch::Symbolic);
    let graph = unsupported.proto_mut().graph.as_mut().unwrap();
    graph.node[2].op_type = Some("FourierMagic".into());
    graph.node[2].name = Some("the_culprit".into());
    let message = refused(build(&unsupported.to_bytes(), &options(1, 1, 1)));
    assert!(message.contains("FourierMagic") && message.contains("the_culprit"), "{message}");

    let mut wrong = options(1, 4, 8);
    wrong.profile[0].max[1] = 7;
    let message = refused(build(&network(), &wrong));
    assert!(message.contains("profile") || message.contains("input"), "{message}");

    build(&network(), &options(1, 1, 2)).unwrap();
}
