//! `doctor` on this machine.

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
    let names = ["engine", "system", "cpu", "compositor", "cores", "memory", "ONNX Runtime"];
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
        assert!(said.starts_with(&start) && said.contains("/none: no such folder; "), "{said}");
        let how = "this program was built without it: run scripts/setup";
        let built = cfg!(feature = "tensorrt") && flavour.headers().is_some();
        assert_eq!(said.contains(how), !built, "{said}");
    }
}
