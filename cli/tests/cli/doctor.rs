//! `doctor` on this machine.

use std::process::Command;

use engine_sys::Flavour;

use crate::support::{Answer, Workplace, has_onnxruntime};

/// What is said about `name`, mark included.
#[track_caller]
pub(crate) fn line(answer: &Answer, name: &str) -> String {
    let mut lines = answer.text().lines();
    let line = lines.find(|line| line.get(9..).is_some_and(|line| line.starts_with(name)));
    let line = line.unwrap_or_else(|| panic!("no {name} in {}", answer.text()));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn everything_is_reported_on() {
    let work = Workplace::empty();
    let answer = work.run(&["doctor"]).assert_ok();
    let names =
        ["engine", "system", "cpu", "compositor", "cores", "memory", "ONNX Runtime", "OpenVINO"];
    let names = names.into_iter().chain(["OpenCV", "CUDA driver", "GPUs", "ffmpeg"]);
    for name in names.chain(Flavour::ALL.map(Flavour::title)) {
        line(&answer, name);
    }
    if has_onnxruntime() {
        assert!(line(&answer, "ONNX Runtime").starts_with("ok "), "{}", answer.text());
    }
    work.write("text.so", "no library");
    let answer = work.run(&["doctor", "--ort-lib", "text.so"]).assert_ok();
    assert!(line(&answer, "ONNX Runtime").starts_with("missing "), "{}", answer.text());
    assert!(answer.text().contains("What to do"), "{}", answer.text());
}

#[test]
fn a_folder_that_is_none_is_missed() {
    let work = Workplace::empty();
    let answer = work.run(&["doctor", "--tensorrt-lib", "none"]).assert_ok();
    for flavour in Flavour::ALL {
        let said = line(&answer, flavour.title());
        let start = format!("missing {} not usable: ", flavour.title());
        assert!(said.starts_with(&start) && said.contains("/none: no such folder ("), "{said}");
        let how = "this program was built without it: run scripts/setup";
        let built = cfg!(feature = "tensorrt") && flavour.headers().is_some();
        assert_eq!(said.contains(how), !built, "{said}");
    }
}

#[test]
fn a_driver_that_is_none_is_no_end() {
    let work = Workplace::empty();
    // A library like any other, under the driver's name.
    let output = Command::new("sh")
        .args(["-c", "echo 'int x;' | cc -shared -x c - -o libcuda.so.1"])
        .current_dir(work.path("."))
        .output();
    if !output.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no C compiler to make a library with");
        return;
    }
    let output = work.command(&["doctor"]).env("LD_LIBRARY_PATH", work.path(".")).output().unwrap();
    let answer = Answer::of(&["doctor"], output).assert_ok();
    if cfg!(feature = "cuda") {
        assert!(answer.text().contains("has no function cuInit"), "{}", answer.text());
    }
}

#[test]
fn onnx_runtime_leaves_no_trace_of_the_user() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    let args = ["render", "pkg", "-o", "null", "--backend", "onnxruntime"];
    let mut command = work.command(&args);
    command.env("XDG_CACHE_HOME", work.path("cache")).env("HOME", work.path("home"));
    Answer::of(&args, command.env_remove("ORT_DISABLE_TELEMETRY").output().unwrap()).assert_ok();
    assert_eq!(work.names("cache"), [""; 0]);
    assert_eq!(work.names("home"), [""; 0]);
}
