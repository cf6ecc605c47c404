//! `bench`: the JSON is a contract.

use std::fs;
use std::process::Command;

use engine::sample::{Batch, SampleOptions};
use serde_json::Value;

use crate::support::{Answer, SIMULATED, SIZE, Workplace, frame_names, has_onnxruntime, small};

fn json(work: &Workplace, file: &str) -> Value {
    serde_json::from_slice(&fs::read(work.path(file)).unwrap()).unwrap()
}

fn bench(work: &Workplace, args: &[&str]) -> Answer {
    work.run(&[&["bench", "--package", "pkg"], args].concat())
}

const STAGES: [&str; 5] =
    ["inference_ms", "composite_ms", "composite_cpu_ms", "assemble_ms", "save_ms"];

#[track_caller]
fn check_run(run: &Value) {
    for name in ["backend", "provider", "mode", "sink", "compositor", "frame_store", "bound_by"] {
        assert!(run[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {run}");
    }
    for name in ["batch", "workers", "frames"] {
        assert!(run[name].as_u64().is_some_and(|count| count > 0), "{name}: {run}");
    }
    let numbers = ["wall_s", "fps", "speedup", "inference_fps", "bound_fps", "efficiency"];
    for name in numbers.into_iter().chain(["peak_rss_mb"]) {
        assert!(run[name].as_f64().is_some_and(|value| value > 0.0), "{name}: {run}");
    }
    let number = |name: &str| run[name].as_f64().unwrap();
    assert!((number("fps") - number("frames") / number("wall_s")).abs() < 1e-6 * number("fps"));
    assert!((number("efficiency") - number("fps") / number("bound_fps")).abs() < 1e-9);

    let attribution = run["attribution"].as_object().unwrap();
    assert!(attribution.contains_key("unexplained"));
    let parts: f64 = attribution.values().map(|part| part.as_f64().unwrap()).sum();
    assert!((parts - number("wall_s")).abs() <= 1e-3 * number("wall_s"), "{attribution:?}");
    let spread = &run["repeat"];
    assert!(spread["fps_min"].as_f64() <= Some(number("fps")));
    assert!(spread["fps_max"].as_f64() >= Some(number("fps")));

    let batches = (number("frames") / number("batch")).ceil() as u64;
    for stage in STAGES {
        let n = match stage {
            "save_ms" if run["sink"] == "null" => 0,
            "save_ms" => run["frames"].as_u64().unwrap(),
            _ => batches,
        };
        check_summary(stage, &run[stage], n);
    }
}

#[track_caller]
fn check_summary(stage: &str, summary: &Value, n: u64) {
    assert_eq!(summary["n"].as_u64(), Some(n), "{stage}: {summary}");
    let needs = [("mean", 1), ("p50", 1), ("p90", 10), ("p95", 20), ("p99", 100), ("max", 1)];
    for (statistic, needed) in needs {
        let value = summary.get(statistic).unwrap_or_else(|| panic!("{stage} has no {statistic}"));
        assert_eq!(value.is_f64(), n >= needed, "{stage}.{statistic}: {summary}");
        assert_eq!(value.is_null(), n < needed, "{stage}.{statistic}: {summary}");
    }
}

#[test]
fn the_json_is_as_promised() {
    let work = Workplace::new();
    let files = ["--json", "grid.json", "--csv", "grid.csv", "--markdown", "grid.md"];
    let grid = ["--batch", "1,4", "--workers", "1,2", "--frames", "30", "--repeat", "3"];
    let grid = [&grid[..], &files, &["--backend", "simulated", "--simulated-ms", "2"]].concat();
    let answer = bench(&work, &grid).assert_ok();
    let report = json(&work, "grid.json");

    assert_eq!(report["schema"], 1);
    for (part, fields) in [
        ("machine", &["cpu", "arch", "cores", "cpu_features", "memory_mb", "os", "kernel"][..]),
        ("model", &["file", "side", "batch", "simulated_ms"]),
        ("package", &["path", "form", "frames", "width", "height", "inputs", "decoded_mb"]),
    ] {
        for field in fields {
            assert!(!report[part][field].is_null(), "{part}.{field}: {}", report[part]);
        }
    }
    assert!(report["preload_s"].as_f64().is_some_and(|seconds| seconds > 0.0));

    let runs = report["runs"].as_array().unwrap();
    let settings: Vec<_> = runs
        .iter()
        .map(|run| (run["mode"].as_str().unwrap(), run["batch"].as_u64(), run["workers"].as_u64()))
        .map(|(mode, batch, workers)| (mode, batch.unwrap(), workers.unwrap()))
        .collect();
    let expected = [
        ("sequential", 1, 1),
        ("pipelined", 1, 1),
        ("pipelined", 1, 2),
        ("pipelined", 4, 1),
        ("pipelined", 4, 2),
    ];
    assert_eq!(settings, expected);
    assert_eq!(report["baseline"], runs[0]);
    assert_eq!(runs[0]["speedup"], 1.0);
    for run in runs {
        check_run(run);
        assert_eq!(run["repeat"]["n"], 3);
        assert_eq!(run["frames"], 30);
        let fps = |run: &Value| run["fps"].as_f64().unwrap();
        assert!((run["speedup"].as_f64().unwrap() - fps(run) / fps(&runs[0])).abs() < 1e-9);
        // 2 ms a frame is by far the slowest stage here.
        assert_eq!((&run["inference_fps"], &run["bound_fps"]), (&500.0.into(), &500.0.into()));
        assert_eq!(run["bound_by"], "infer");
        assert!(run["efficiency"].as_f64().unwrap() <= 1.0, "{run}");
    }

    let csv = fs::read_to_string(work.path("grid.csv")).unwrap();
    let markdown = fs::read_to_string(work.path("grid.md")).unwrap();
    assert_eq!(csv.lines().count(), 1 + runs.len());
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns));
    assert_eq!(markdown.lines().count(), 2 + runs.len());
    assert!(markdown.contains("| batch 4, workers 2 "), "{markdown}");
    for part in ["frames/s", "speed-up", "efficiency", "batch 1, workers 1 (sequential)", "best: "]
    {
        assert!(answer.text().contains(part), "no {part:?} in {}", answer.text());
    }
}

#[test]
fn sinks_are_measured_and_leave_only_frames() {
    let work = Workplace::new();
    let args = ["--sink", "jpg:out", "--frames", "20", "--warmup", "0", "--json", "out.json"];
    bench(&work, &[&args[..], &SIMULATED].concat()).assert_ok();
    let report = json(&work, "out.json");
    for run in report["runs"].as_array().unwrap() {
        check_run(run);
        assert_eq!(run["sink"], "jpg:out");
    }
    assert_eq!(work.names("out"), frame_names(20, "jpg"));
    assert_eq!(work.names("."), ["out", "out.json", "pkg"]);
}

#[test]
fn frames_on_stdout_are_not_mixed_with_the_table() {
    let work = Workplace::new();
    let args = ["--sink", "raw:-", "--frames", "5", "--batch", "2", "--workers", "1"];
    let answer = bench(&work, &[&args[..], &SIMULATED].concat()).assert_ok();
    // The baseline and the one setting.
    assert_eq!(answer.stdout.len(), 2 * 5 * SIZE.bytes());
    assert!(answer.stderr.contains("efficiency"), "{}", answer.stderr);
}

#[test]
fn the_rows_wrap_and_a_stream_has_no_preload() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    let args = ["--frames", "50", "--frame-store", "stream", "--json", "out.json"];
    bench(&work, &args).assert_ok();
    let report = json(&work, "out.json");
    assert!(report["preload_s"].is_null());
    assert!(report["model"]["simulated_ms"].is_null());
    for run in report["runs"].as_array().unwrap() {
        check_run(run);
        assert_eq!((&run["frames"], &run["backend"]), (&50.into(), &"onnxruntime".into()));
        assert_eq!(
            (&run["provider"], &run["frame_store"]),
            (&"CPUExecutionProvider".into(), &"stream".into())
        );
        assert!(run["stage_fps"]["decode"].as_f64().is_some());
    }
}

#[test]
fn a_batch_that_the_network_does_not_take_is_refused_before_anything_runs() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::with(&SampleOptions { batch: Batch::Fixed(1), ..small() });
    let answer = bench(&work, &["--batch", "1,4", "--workers", "1", "--frames", "4"]);
    answer.assert_refused(&["the model's batch is fixed to 1, --batch is 4", "use --batch 1"]);
    assert!(!answer.stderr.contains("running"), "{}", answer.stderr);
}

#[test]
fn a_later_failure_loses_nothing() {
    let work = Workplace::new();
    let pipe = work.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Takes two runs whole, and goes away in the third.
    let reader = std::thread::spawn(move || {
        let whole = [(), ()].map(|()| fs::read(&pipe).unwrap().len());
        let mut byte = [0];
        std::io::Read::read_exact(&mut fs::File::open(&pipe).unwrap(), &mut byte).unwrap();
        whole
    });
    let files = ["--json", "grid.json", "--csv", "grid.csv", "--markdown", "grid.md"];
    let grid = ["--batch", "1,4", "--workers", "1", "--frames", "8", "--sink", "raw:pipe"];
    let answer = bench(&work, &[&grid[..], &files, &SIMULATED].concat());
    let bytes = 8 * SIZE.bytes();
    assert_eq!(reader.join().unwrap(), [bytes, bytes]);
    answer.assert_failed(1, &["to pipe", "the program that read from it has stopped"]);
    // What was measured before is printed and written.
    assert!(answer.text().contains("batch 1, workers 1 (sequential)"), "{}", answer.text());
    assert_eq!(json(&work, "grid.json")["runs"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read_to_string(work.path("grid.csv")).unwrap().lines().count(), 3);
    assert_eq!(fs::read_to_string(work.path("grid.md")).unwrap().lines().count(), 4);
    assert_eq!(work.names("."), ["grid.csv", "grid.json", "grid.md", "pipe", "pkg"]);
}

#[test]
fn without_a_package_it_makes_one_and_keeps_it() {
    let work = Workplace::empty();
    let bench = || {
        let args = ["bench", "--frames", "2", "--warmup", "0", "--workers", "1", "--batch", "1"];
        let args = [&args, &SIMULATED[..]].concat();
        let mut command = work.command(&args);
        let output = command.env("XDG_CACHE_HOME", work.path("cache")).output().unwrap();
        Answer::of(&args, output).assert_ok().stderr
    };
    let first = bench();
    assert!(first.contains("no --package: writing a sample package to "), "{first}");
    assert!(first.contains("100 background frames of 1280x720"), "{first}");
    let again = bench();
    assert!(again.contains("no --package: using the sample package in "), "{again}");
    assert_eq!(work.names("cache/talking-head-engine").len(), 1);
}
