//! Conversions over stand-ins for NVIDIA's libraries: what is left, and what is said, whichever call
//! fails.
//!
//! The stand-ins share one control, so the tests take turns.
#![cfg(feature = "tensorrt")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::convert::{ConvertError, EngineOptions, EngineRecord, Network, Tools, build};
use engine::cuda::Context;
use engine::file::{FileHash, Lock};
use engine::onnx::precision::Precision;
use engine::sample::{Batch, probe};
use engine_doubles::Exclusive;
use engine_sys::{Flavour, Library, Log, NoProgress, Progress, Severity};

struct Quiet;

impl Log for Quiet {
    fn message(&self, _severity: Severity, _text: &str) {}
}

/// The stand-ins, for this test alone, and the flavours that they were built for.
fn stand_ins() -> (Exclusive, Vec<Flavour>) {
    engine_doubles::cuda();
    let built = |flavour: &Flavour| engine_doubles::tensorrt_dir(*flavour).is_some();
    let flavours: Vec<Flavour> = Flavour::ALL.into_iter().filter(built).collect();
    if flavours.is_empty() {
        eprintln!("SKIPPED: built without TensorRT's headers; run scripts/setup and build again");
    }
    (engine_doubles::control().exclusive(), flavours)
}

/// A folder with a network in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    probe(32, Batch::Symbolic).save(folder.path().join("m.onnx")).unwrap();
    folder
}

/// Converts `m.onnx` in `folder` to `m.engine`, with a timing cache.
fn convert(
    folder: &Path,
    flavour: Flavour,
    progress: Arc<dyn Progress>,
) -> Result<EngineRecord, ConvertError> {
    let options = EngineOptions {
        precision: Precision::Fp16,
        batch: "1:4:8".parse().unwrap(),
        workspace: Some(1 << 30),
        version_compatible: false,
        hardware_compatible: false,
    };
    let network = Network::prepare(&folder.join("m.onnx"), options.precision, options.batch)?;
    let file = engine_doubles::tensorrt_library(flavour).unwrap();
    let library = Library::open(flavour, &file, Arc::new(Quiet))
        .map_err(|error| ConvertError::Backend(error.into()))?;
    let parser = engine_doubles::tensorrt_dir(flavour).unwrap().join(flavour.parser_library());
    let tools = Tools { library, parser, gpu: Context::new(0) };
    let lock = Lock::take(&folder.join("m.engine"))?;
    let timing = folder.join("timing");
    build(&lock, &network, &options, &tools, Some(&timing), None, progress)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_engine_comes_with_its_record() {
    let (control, flavours) = stand_ins();
    for flavour in flavours {
        let folder = folder();
        let record = convert(folder.path(), flavour, Arc::new(NoProgress)).unwrap();
        assert_eq!(names(folder.path()), ["m.engine", "m.engine.json", "m.onnx", "timing"]);
        let engine = folder.path().join("m.engine");
        assert_eq!(EngineRecord::load(&engine).unwrap().as_ref(), Some(&record));
        assert_eq!(record.engine, FileHash::of(&fs::read(&engine).unwrap()));
        assert_eq!(record.model_hash, FileHash::of(&fs::read(&record.model).unwrap()));
        assert_eq!((record.flavour, record.gpu.is_some()), (flavour, flavour != Flavour::Rtx));
        assert!(record.graph.half.is_some_and(|half| half.tensors > 0));
        assert_eq!(control.census(), Vec::<String>::new());
    }
}

#[test]
fn any_call_may_fail_and_no_engine_is_left() {
    let (control, flavours) = stand_ins();
    for flavour in flavours {
        let mut errors = 0;
        for nth in 1.. {
            let folder = folder();
            control.reset();
            control.fail("*", nth, 719);
            let result = convert(folder.path(), flavour, Arc::new(NoProgress));
            let reached = control.calls("*") >= u64::from(nth);
            assert_eq!(control.census(), Vec::<String>::new(), "{flavour}, call {nth}");
            match result {
                Ok(_) => assert_eq!(names(folder.path()).len(), 4, "{flavour}, call {nth}"),
                Err(error) => {
                    assert!(reached, "{flavour}, call {nth} was not made: {error}");
                    let typed = matches!(
                        error,
                        ConvertError::Build { .. }
                            | ConvertError::NeedsGpu { .. }
                            | ConvertError::Backend(_)
                    );
                    assert!(typed, "{flavour}, call {nth}: {error:?}");
                    assert_eq!(names(folder.path()), ["m.onnx"], "{flavour}, call {nth}");
                    errors += 1;
                }
            }
            if !reached {
                break;
            }
        }
        assert!(errors > 10, "{flavour}: only {errors} calls that matter were made");
    }
}

#[test]
fn any_step_may_end_the_build() {
    /// Breaks off at step `left`.
    struct Until(AtomicU32);

    impl Progress for Until {
        fn phase_start(&self, _name: &str, _parent: Option<&str>, _steps: u32) {}

        fn step(&self, _name: &str, _step: u32) -> ControlFlow<()> {
            match self.0.fetch_sub(1, Ordering::Relaxed) {
                0 | 1 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }

        fn phase_finish(&self, _name: &str) {}
    }

    let (control, flavours) = stand_ins();
    for flavour in flavours {
        let folder = folder();
        let mut cancelled = 0;
        for step in 1.. {
            let progress = Arc::new(Until(AtomicU32::new(step)));
            match convert(folder.path(), flavour, progress) {
                Ok(_) => break,
                Err(ConvertError::Cancelled) => cancelled += 1,
                Err(error) => panic!("{flavour}, step {step}: {error:?}"),
            }
            assert_eq!(names(folder.path()), ["m.onnx"], "{flavour}, step {step}");
            assert_eq!(control.census(), Vec::<String>::new());
        }
        assert!(cancelled > 3, "{flavour}: only {cancelled} steps");
    }
}
