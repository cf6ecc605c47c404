//! `--backend openvino`, and `--precision` for all backends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use engine_sys::search::find_openvino;

use crate::doctor::line;
use crate::support::{Answer, SIMULATED, Workplace, frame_names, has_onnxruntime};

/// OpenVINO's library, or a word about its absence.
pub(crate) fn library() -> Option<PathBuf> {
    if cfg!(not(feature = "openvino")) {
        eprintln!("SKIPPED: built without OpenVINO; build with the feature \"openvino\"");
        return None;
    }
    find_openvino(None).map_err(|error| eprintln!("SKIPPED: {error}")).ok()
}

/// `render pkg` on OpenVINO, with more arguments.
fn render(work: &Workplace, args: &[&str]) -> Answer {
    work.run(&[&["render", "pkg", "--backend", "openvino"], args].concat())
}

#[test]
fn frames_are_those_of_onnx_runtime_whatever_the_batch_and_the_streams() {
    if library().is_none() || !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    let onnxruntime = ["render", "pkg", "-o", "a", "--backend", "onnxruntime", "--batch", "1"];
    work.run(&onnxruntime).assert_ok();
    for (folder, args) in [
        ("b", &["--batch", "4", "--threads", "2", "--streams", "2"][..]),
        ("c", &["--batch", "5", "--workers", "3"]),
        ("d", &["--mode", "sequential", "--precision", "fp32"]),
    ] {
        let said = render(&work, &[&["-o", folder], args].concat()).assert_ok().stderr;
        assert!(said.contains("backend     OpenVINO 20"), "{said}");
        assert!(said.contains("on openvino (CPU fp32, "), "{said}");
        for name in frame_names(6, "png") {
            let [ours, other] =
                ["a", folder].map(|folder| fs::read(work.path(folder).join(&name)).unwrap());
            assert!(ours == other, "{name} in {folder}");
        }
    }
}

#[test]
fn a_comparison_gives_its_streams_to_openvino_alone() {
    if library().is_none() || !has_onnxruntime() {
        return;
    }
    let model = "pkg/checkpoint/model_best.onnx";
    let work = Workplace::new();
    let settings = ["--backend", "openvino", "--threads", "2", "--streams", "2"];
    let answer =
        work.run(&[&["compare", model, model, "--package", "pkg"], &settings[..]].concat());
    answer.assert_ok();
}

#[test]
fn it_leaves_no_trace_of_the_user() {
    if library().is_none() {
        return;
    }
    let work = Workplace::new();
    let args = ["render", "pkg", "-o", "null", "--backend", "openvino"];
    let mut command = work.command(&args);
    command.env("XDG_CACHE_HOME", work.path("cache")).env("HOME", work.path("home"));
    Answer::of(&args, command.output().unwrap()).assert_ok();
    assert_eq!(work.names("."), ["pkg"]);
}

#[test]
fn precisions_that_a_backend_has_not_are_refused() {
    let work = Workplace::new();
    let refused = |args: &[&str], parts: &[&str]| {
        work.run(&[&["render", "pkg", "-o", "out"], args].concat()).assert_refused(parts);
    };
    let simulated = [&SIMULATED[..], &["--precision", "bf16"]].concat();
    refused(&simulated, &["--precision bf16 is not for --backend simulated; expected auto"]);
    let [bf16, int8] = ["bf16", "int8"].map(|precision| ["--precision", precision]);
    let on = |backend, precision: [&'static str; 2]| [["--backend", backend], precision].concat();
    refused(&on("tensorrt", int8), &["int8 is not for --backend tensorrt", "fp32 or fp16"]);
    refused(&on("onnxruntime", bf16), &["bf16 is not for --backend onnxruntime", "auto or fp32"]);
    refused(&bf16, &["bf16 is not for --backend auto", "--backend openvino"]);
    let quantize = ["model_best.onnx: --precision int8 runs quantized networks", "quantize`"];
    refused(&on("onnxruntime", int8), &quantize);
    if cfg!(feature = "openvino") {
        refused(&on("openvino", int8), &quantize);
    }
    work.render(&["--precision", "half"]).assert_usage(&["half", "fp32, fp16, bf16 or int8"]);
    assert_eq!(work.names("."), ["pkg"]);
}

#[test]
fn more_streams_than_threads_are_refused() {
    if library().is_none() {
        return;
    }
    let work = Workplace::new();
    let args = ["-o", "out", "--streams", "3", "--threads", "2"];
    let message = "--streams 3 need as many threads, but --threads is 2";
    render(&work, &args).assert_refused(&[message]);
    render(&work, &["-o", "out", "--streams", "0"]).assert_usage(&["--streams"]);
    let other = ["render", "pkg", "-o", "out", "--backend", "onnxruntime", "--streams", "2"];
    work.run(&other).assert_refused(&["--streams is for --backend openvino", "onnxruntime"]);
}

#[test]
fn a_damaged_library() {
    let work = Workplace::new();
    if cfg!(not(feature = "openvino")) {
        let without = ["built without OpenVINO", "the feature \"openvino\""];
        return render(&work, &["-o", "out"]).assert_refused(&without);
    }
    let refused = |library: &str, parts: &[&str]| {
        render(&work, &["-o", "out", "--openvino-lib", library]).assert_refused(parts);
    };
    refused("none.so", &["none.so: no such file or folder", "--openvino-lib must name"]);
    refused("pkg", &["pkg: the folder holds no such library"]);
    work.write("text.so", "no library");
    let unusable = "text.so: cannot be used as OpenVINO: ";
    refused("text.so", &[unusable, "of version 2025.1 or newer"]);
    let answer = work.run(&["doctor", "--openvino-lib", "text.so"]).assert_ok();
    assert!(line(&answer, "OpenVINO").starts_with("missing "), "{}", answer.text());

    let args = ["render", "pkg", "-o", "out", "--backend", "openvino"];
    let answer = work.command(&args).env("OPENVINO_DYLIB_PATH", "other").output().unwrap();
    let parts = ["other: no such file or folder", "OPENVINO_DYLIB_PATH must name"];
    Answer::of(&args, answer).assert_refused(&parts);

    let Some(library) = library() else { return };
    // What is cut short would end the process once it is touched.
    let names: Vec<_> = fs::read_dir(library.parent().unwrap()).unwrap().collect();
    for cut in
        ["libopenvino_c.so", "libopenvino.so", "_cpu_plugin.so", "onnx_frontend", "libtbb.so"]
    {
        fs::create_dir(work.path("cut")).unwrap();
        for entry in &names {
            let entry = entry.as_ref().unwrap();
            let name = entry.file_name().into_string().unwrap();
            let copy = work.path("cut").join(&name);
            if name.contains(cut) {
                let bytes = fs::read(entry.path()).unwrap();
                fs::write(copy, &bytes[..bytes.len() / 3]).unwrap();
            } else if name.contains("openvino_c") {
                // Links are followed, and then those beside it are others.
                fs::copy(entry.path(), copy).unwrap();
            } else {
                symlink(entry.path(), copy).unwrap();
            }
        }
        refused("cut", &["cannot be used as OpenVINO", cut, "is cut short: it has"]);
        fs::remove_dir_all(work.path("cut")).unwrap();
    }
    assert_eq!(work.names("."), ["pkg", "text.so"]);
}

#[test]
fn the_doctor_says_what_it_computes_in() {
    let Some(library) = library() else { return };
    let answer = Workplace::empty().run(&["doctor"]).assert_ok();
    let said = line(&answer, "OpenVINO");
    assert!(
        said.starts_with("ok OpenVINO 20") && said.ends_with(library.to_str().unwrap()),
        "{said}"
    );
    assert!(answer.text().contains("computes in fp32"), "{}", answer.text());
}
