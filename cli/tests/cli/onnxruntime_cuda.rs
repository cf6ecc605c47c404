//! `render`, `bench` and `tune` on ONNX Runtime's CUDA provider, over stand-ins for its library and
//! for the driver.

use std::path::PathBuf;
use std::process::Command;

use engine::backend::find_onnxruntime;

use crate::support::{Answer, FRAMES, Workplace, features, files, frame_names};

/// A workplace on a machine with a GPU, without TensorRT, and with ONNX Runtime for GPUs.
struct Rig<'a> {
    work: &'a Workplace,
    /// What the stand-in stands on.
    real: PathBuf,
}

impl<'a> Rig<'a> {
    /// `None`, and says so, where ONNX Runtime is missing.
    fn new(work: &'a Workplace) -> Option<Self> {
        match find_onnxruntime(None) {
            Ok(real) => Some(Self { work, real }),
            Err(error) => {
                eprintln!("SKIPPED: {error}; run scripts/setup");
                None
            }
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.work.command(args);
        command
            .env("ORT_DYLIB_PATH", engine_doubles::onnxruntime_library())
            .env("ENGINE_DOUBLES_ONNXRUNTIME", &self.real)
            .env("LD_LIBRARY_PATH", engine_doubles::cuda_dir())
            .env("TENSORRT_LIB_DIR", self.work.path("none"))
            .env("XDG_CACHE_HOME", self.work.path("cache"));
        command
    }

    fn run(&self, args: &[&str]) -> Answer {
        Answer::of(args, self.command(args).output().unwrap())
    }

    /// `render pkg -o out` on the GPU, with more arguments.
    fn render(&self, args: &[&str]) -> Answer {
        let render = ["render", "pkg", "-o", "out"];
        self.run(&[&render[..], &["--backend", "onnxruntime", "--provider", "cuda"], args].concat())
    }
}

#[test]
fn frames_are_those_of_the_cpu_byte_for_byte_wherever_they_are_composited() {
    let work = Workplace::new();
    let Some(rig) = Rig::new(&work) else { return };
    work.write("long.npy", features(23));
    let long = ["--features", "long.npy"];
    for inputs in ["package", "derived"] {
        let inputs = ["--inputs", inputs];
        let expected = ["render", "pkg", "-o", "expected", "--backend", "onnxruntime"];
        work.run(&[&expected[..], &long, &inputs].concat()).assert_ok();
        let expected = files(&work, "expected");
        assert_eq!(work.names("expected"), frame_names(23, "png"));
        for settings in [
            &["--compositor", "cpu"][..],
            &["--compositor", "cpu", "--batch", "3", "--lanes", "3"],
            &["--compositor", "cuda"],
            &["--compositor", "cuda", "--batch", "3", "--lanes", "1"],
            &["--compositor", "cuda", "--batch", "8", "--mode", "sequential"],
        ] {
            if let (true, Err(missing)) =
                (settings.contains(&"cuda"), engine_sys::search::find_nvrtc())
            {
                eprintln!("SKIPPED: {missing}");
                continue;
            }
            let answer = rig.render(&[&long[..], &inputs, settings].concat()).assert_ok();
            assert!(files(&work, "out") == expected, "{settings:?}");
            assert!(answer.stderr.contains("CUDAExecutionProvider"), "{}", answer.stderr);
            let regions = format!("room for {FRAMES} of {FRAMES} frames on the GPU");
            assert_eq!(answer.stderr.contains(&regions), settings.contains(&"cuda"));
            std::fs::remove_dir_all(work.path("out")).unwrap();
        }
    }
}

#[test]
fn auto_takes_the_gpu_where_there_is_no_tensorrt() {
    let work = Workplace::new();
    let Some(rig) = Rig::new(&work) else { return };
    let answer = rig.run(&["render", "pkg", "-o", "null"]).assert_ok();
    for part in ["backend     not tensorrt: ", "backend     onnxruntime on Engine Double, 2 lanes"]
    {
        assert!(answer.stderr.contains(part), "no {part:?} in {}", answer.stderr);
    }
    // What the GPU cannot do is said, not done elsewhere.
    rig.render(&["--device", "1"]).assert_refused(&["there is no GPU 1"]);
    let mut command = rig.command(&["render", "pkg", "-o", "out", "--provider", "cuda"]);
    command.env("ENGINE_DOUBLES_FAIL", "CreateSession=1");
    let refused = Answer::of(&["render"], command.output().unwrap());
    refused.assert_refused(&["libonnxruntime.so: ONNX Runtime cannot use the GPU", "failure 1"]);
    assert_eq!(work.names("out"), [""; 0]);
}

#[test]
fn settings_that_were_found_on_the_gpu_run_there() {
    let work = Workplace::new();
    let Some(rig) = Rig::new(&work) else { return };
    let tune = ["tune", "--package", "pkg", "--batch", "2,4", "--workers", "1", "--seconds", "2"];
    let found = rig.run(&[&tune[..], &["--backend", "onnxruntime", "--provider", "cuda"]].concat());
    let found = found.assert_ok();
    assert!(found.text().contains("best: onnxruntime cuda, batch "), "{}", found.text());
    let tuned = rig.run(&["render", "pkg", "-o", "tuned"]).assert_ok();
    assert!(tuned.stderr.contains(": onnxruntime cuda, batch "), "{}", tuned.stderr);
    rig.render(&[]).assert_ok();
    assert!(files(&work, "tuned") == files(&work, "out"));
}

#[test]
fn a_search_begins_with_a_larger_batch_than_it_would_try() {
    let work = Workplace::new();
    let Some(rig) = Rig::new(&work) else { return };
    let tune = ["tune", "--package", "pkg", "--workers", "1", "--seconds", "1", "-o"];
    let gpu = ["--backend", "onnxruntime", "--provider", "cuda"];
    rig.run(&[&tune[..], &["32.json", "--batch", "32"], &gpu].concat()).assert_ok();
    let again = [&tune[..], &["again.json", "--from", "32.json"], &gpu].concat();
    let again = rig.run(&again).assert_ok();
    assert!(again.stderr.contains("onnxruntime cuda, batch 32, workers 1"), "{}", again.stderr);
}

#[test]
fn bench_says_what_the_gpu_took() {
    let work = Workplace::new();
    let Some(rig) = Rig::new(&work) else { return };
    if let Err(missing) = engine_sys::search::find_nvrtc() {
        return eprintln!("SKIPPED: {missing}");
    }
    let bench = ["bench", "--package", "pkg", "--batch", "2", "--workers", "1", "--frames", "20"];
    let gpu = ["--provider", "cuda", "--compositor", "cuda", "--json", "bench.json"];
    rig.run(&[&bench[..], &gpu].concat()).assert_ok();
    let json = std::fs::read_to_string(work.path("bench.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let run = &json["runs"][1];
    for part in ["assemble", "network", "composite"] {
        assert!(run["device_ms"][part]["p50"].as_f64() > Some(0.0), "{part}: {run:#}");
    }
    // A job and a row of features; crop, roi and masked roi are there since the warm-up.
    assert_eq!(run["device_kb"]["up"]["p50"], (72.0 + 4.0 * 512.0) / 1e3);
    let down = run["device_kb"]["down"]["p50"].as_f64().unwrap();
    assert!(down > 0.0 && down < 4.0 * 3.0 * 32.0 * 32.0 / 1e3, "{down}");
}
