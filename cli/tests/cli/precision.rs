//! `--precision auto` on a processor: measured, compared, kept.

use std::fs;

use engine::file::FileHash;
use engine::frame::Size;
use engine::onnx::Model;
use engine::onnx::proto::{
    AttributeProto, GraphProto, NodeProto, StringStringEntryProto, TensorProto, attribute_type,
    data_type,
};
use engine::sample::{Batch, SampleOptions, probe};
use engine_sys::search::find_openvino;
use serde_json::Value;

use crate::support::{Answer, Workplace, features, has_onnxruntime, interrupt, small, wait_for};

const MODEL: &str = "pkg/checkpoint/model_best.onnx";
const INT8: &str = "pkg/checkpoint/model_best.int8.onnx";
const SIDE: usize = 160;
/// Enough frames for a measurement.
const LONG: [&str; 4] = ["render", "pkg", "-o", "null"];

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        name: Some(output.into()),
        op_type: Some(op.into()),
        ..Default::default()
    }
}

/// Gives the exact network a long way to the same result: it adds the whole part of a number between
/// 0 and 1, so that what does without that is faster.
fn detour(graph: &mut GraphProto) {
    let last = graph.node.pop().unwrap();
    let mut value = "input".to_owned();
    for step in 0..40 {
        let next = format!("erf_{step}");
        graph.node.push(node("Erf", &[&value], &next));
        value = next;
    }
    let mut mean = node("ReduceMean", &[&value], "way");
    mean.attribute = vec![AttributeProto {
        name: Some("axes".into()),
        r#type: Some(attribute_type::INTS),
        ints: vec![1, 2, 3],
        ..Default::default()
    }];
    graph.node.extend([
        mean,
        node("Abs", &["way"], "way_abs"),
        node("Floor", &["way_abs"], "nothing"),
        node("Add", &["tint", "nothing"], "tint_after"),
        NodeProto { input: vec!["image".into(), "tint_after".into()], ..last },
    ]);
}

/// Writes the exact network beside the package's, quantized where that changes nothing: its factor
/// 0.5 is `scale` times a whole number, or the nearest there is.
fn quantize(work: &Workplace, scale: f32, made_from: &str) {
    let mut model = probe(SIDE, Batch::Symbolic);
    let constant = |name: &str, data_type, raw_data: &[u8]| TensorProto {
        name: Some(name.into()),
        data_type: Some(data_type),
        raw_data: Some(raw_data.into()),
        ..Default::default()
    };
    const INT8_TYPE: i32 = 3;
    let graph = model.proto_mut().graph.as_mut().unwrap();
    graph.initializer.push(constant("scale", data_type::FLOAT, &scale.to_le_bytes()));
    graph.initializer.push(constant("zero", INT8_TYPE, &[0]));
    for node in &mut graph.node {
        let factor = node.input.iter_mut().filter(|_| node.op_type.as_deref() == Some("Mul"));
        factor.filter(|input| *input == "half").for_each(|input| *input = "half_again".into());
    }
    let there = node("QuantizeLinear", &["half", "scale", "zero"], "half_int8");
    let back = node("DequantizeLinear", &["half_int8", "scale", "zero"], "half_again");
    graph.node.splice(0..0, [there, back]);
    model.proto_mut().metadata_props = vec![StringStringEntryProto {
        key: Some("engine.quantized_from".into()),
        value: Some(made_from.into()),
    }];
    model.save(work.path(INT8)).unwrap();
}

/// A package whose network is slow, and features for 300 frames; with the hash of the network.
fn slow_network() -> (Workplace, String) {
    let options = SampleOptions { size: Size::new(256, 256), side: SIDE, ..small() };
    let work = Workplace::with(&options);
    let mut model = Model::load(work.path(MODEL)).unwrap();
    detour(model.proto_mut().graph.as_mut().unwrap());
    model.save(work.path(MODEL)).unwrap();
    work.write("pkg/aud_ave.npy", features(300));
    let hash = FileHash::of_file(&work.path(MODEL)).unwrap().sha256;
    (work, hash)
}

/// What runs a quantized network here, as in `--backend`.
fn runtime() -> &'static str {
    match find_openvino(None) {
        Ok(_) => "openvino",
        Err(error) => {
            eprintln!("without OpenVINO, on ONNX Runtime alone: {error}; run scripts/setup");
            "onnxruntime"
        }
    }
}

/// The line of stderr that begins like this.
#[track_caller]
fn line<'a>(answer: &'a Answer, beginning: &str) -> &'a str {
    let found = answer.stderr.lines().find(|line| line.starts_with(beginning));
    found.unwrap_or_else(|| panic!("no {beginning:?} in {}", answer.stderr))
}

#[test]
fn the_fastest_that_is_near_enough_is_taken_and_remembered() {
    if !has_onnxruntime() {
        return;
    }
    let (work, hash) = slow_network();
    quantize(&work, 0.5, &hash);
    let taken = format!("backend     {} int8: ", runtime());
    let measured = |answer: &Answer| answer.stderr.contains("measuring   ");
    let answer = work.run(&LONG).assert_ok();
    assert!(measured(&answer), "{}", answer.stderr);
    let said = line(&answer, &taken);
    assert!(said.contains("ms a frame, no byte differs; --precision fp32"), "{said}");
    assert!(!said.contains("measured before"));
    assert!(line(&answer, "not taken   ").contains("onnxruntime fp32 ("), "{}", answer.stderr);
    assert!(line(&answer, "network     ").contains("model_best.int8.onnx: 160 x 160"));
    assert!(!answer.stderr.contains("hint        "), "{}", answer.stderr);
    assert_eq!(work.decisions().len(), 1);

    // Also for few frames, which are not worth a measurement.
    let elsewhere = work.path("pkg").display().to_string();
    for (package, frames) in [("pkg", "300"), ("pkg", "6"), (elsewhere.as_str(), "6")] {
        let again = ["render", package, "-o", "null", "--frames", frames];
        let again = work.run(&again).assert_ok();
        assert!(!measured(&again), "{}", again.stderr);
        assert!(line(&again, &taken).ends_with("; measured before"), "{}", again.stderr);
        assert!(line(&again, "network     ").contains("model_best.int8.onnx"));
    }

    let decision = work.decisions()[0].clone();
    let text = fs::read_to_string(&decision).unwrap();
    fs::write(&decision, &text[..text.len() / 2]).unwrap();
    assert!(measured(&work.run(&LONG).assert_ok()), "a damaged decision was taken");
    assert!(!measured(&work.run(&LONG).assert_ok()), "it was not made good");
    assert!(measured(&work.run(&[&LONG[..], &["--batch", "2"]].concat()).assert_ok()));

    // Which file computes in integers is said, not guessed.
    for backend in ["auto", runtime()] {
        work.run(&[&LONG[..], &["--backend", backend, "--precision", "int8"]].concat())
            .assert_refused(&["model_best.onnx: ", "model_best.int8.onnx: name that file instead"]);
    }
    let inspected = work.run(&["inspect", "pkg"]).assert_ok();
    assert!(inspected.text().contains("quantized   pkg/checkpoint/model_best.int8.onnx"));

    let exact = work.run(&[&LONG[..], &["--precision", "fp32"]].concat()).assert_ok();
    assert!(!measured(&exact), "{}", exact.stderr);
    let network = line(&exact, "network     ");
    assert!(network.contains("model_best.onnx: 160 x 160 on onnxruntime"), "{network}");
    let bench = ["bench", "--package", "pkg", "--frames", "8", "--warmup", "0"];
    let bench = work.run(&bench).assert_ok();
    assert!(line(&bench, &taken).ends_with("; measured before"), "{}", bench.stderr);
}

#[test]
fn a_damaged_form_is_refused_by_its_worst_frame_and_the_next_one_runs() {
    if !has_onnxruntime() {
        return;
    }
    let (work, hash) = slow_network();
    quantize(&work, 0.4, &hash);
    let answer = work.run(&LONG).assert_ok();
    let refused = line(&answer, "not taken   ");
    let name = format!("{} int8 (", runtime());
    let refused = refused.split("; ").find_map(|entry| entry.split_once(&name)).unwrap().1;

    let backend = ["--backend", runtime()];
    let files = ["--package", "pkg", "--all", "--min-psnr", "0", "--json", "q.json"];
    work.run(&[&["compare", MODEL, INT8], &files[..], &backend].concat()).assert_ok();
    let json: Value = serde_json::from_slice(&fs::read(work.path("q.json")).unwrap()).unwrap();
    let overall = &json["quality"]["overall"];
    let (frame, db) = (&overall["worst_frame"], overall["worst_psnr_db"].as_f64().unwrap());
    // Rounded down.
    let db = (db * 10.0).floor() / 10.0;
    let expected = format!("but {db:.1} dB in the worst frame, {frame}, below 40)");
    assert!(refused.ends_with(&expected), "{refused:?} does not end with {expected:?}");
    assert!(!line(&answer, "network     ").contains("int8"), "{}", answer.stderr);

    let lenient = work.run(&[&LONG[..], &["--min-psnr", "1"]].concat()).assert_ok();
    let taken = format!("backend     {} int8: ", runtime());
    assert!(line(&lenient, &taken).contains(&format!("{db:.1} dB in the worst frame, {frame};")));
}

#[test]
fn what_is_not_of_this_network_is_not_run() {
    if !has_onnxruntime() {
        return;
    }
    let (work, _) = slow_network();
    quantize(&work, 0.5, &FileHash::of(b"another").sha256);
    let answer = work.run(&LONG).assert_ok();
    let said = line(&answer, "precision   not int8: ");
    assert!(said.contains("was made from another network") && said.contains("quantize"), "{said}");
    assert!(!answer.stderr.contains(" int8 ("), "{}", answer.stderr);
    assert!(!line(&answer, "network     ").contains("int8"));
    work.write(INT8, "no network");
    let answer = work.run(&LONG).assert_ok();
    assert!(line(&answer, "precision   not int8: ").contains("is not an ONNX model"));
    let inspected = work.run(&["inspect", "pkg"]);
    inspected.assert_failed(1, &["quantized form is not usable", "is not an ONNX model"]);
}

#[test]
fn few_frames_and_a_missing_library_are_no_reason_not_to_start() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    work.write("pkg/aud_ave.npy", features(300));
    let answer = work.run(&[&LONG[..], &["--frames", "299"]].concat()).assert_ok();
    if runtime() == "openvino" {
        let said = line(&answer, "backend     onnxruntime fp32: ");
        assert!(
            said.ends_with("others were not measured, which pays from 300 frames on"),
            "{said}"
        );
    }
    let named = work.run(&[&LONG[..], &["--openvino-lib", "none"]].concat());
    named.assert_refused(&["--openvino-lib none: ", "no such file or folder"]);
    let without = work.command(&LONG).env("OPENVINO_DYLIB_PATH", "none").output().unwrap();
    let without = Answer::of(&LONG, without).assert_ok();
    assert!(line(&without, "backend     not openvino: ").contains("none"), "{}", without.stderr);
    assert!(line(&without, "network     ").contains(" on onnxruntime "), "{}", without.stderr);
    assert!(!without.stderr.contains("measuring   "), "{}", without.stderr);
    assert_eq!(work.decisions().len(), 0);
    // What has no convolutions is not suggested to be quantized.
    let measured = work.run(&LONG).assert_ok();
    assert!(!measured.stderr.contains("hint        "), "{}", measured.stderr);
}

#[test]
fn a_video_is_not_resumed_in_another_precision() {
    let ffmpeg = std::process::Command::new("ffmpeg").arg("-version").output();
    if !has_onnxruntime() || ffmpeg.is_err() {
        eprintln!("SKIPPED: this takes ffmpeg, too; run scripts/setup");
        return;
    }
    let (work, hash) = slow_network();
    quantize(&work, 0.5, &hash);
    work.write("long.npy", features(3000));
    let video = ["render", "pkg", "-o", "out.mp4", "--features", "long.npy", "--segment", "1"];
    let args = [&video[..], &["--precision", "fp32"]].concat();
    let child = work.start(&args);
    wait_for("a segment", || work.path("out.mp4.segments/00000.mp4").exists());
    interrupt(&child);
    assert_eq!(Answer::of(&args, child.wait_with_output().unwrap()).code, Some(130));
    let other = work.run(&[&video[..], &["--resume"]].concat());
    other.assert_refused(&["cannot be resumed", "the network was", "and is"]);
    if runtime() == "openvino" {
        other
            .assert_refused(&["the backend was onnxruntime, CPUExecutionProvider and is openvino"]);
    }
}
