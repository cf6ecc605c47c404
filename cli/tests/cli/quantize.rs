//! `quantize`.

use std::fs;
use std::io::{BufRead, BufReader};

use engine::file::FileHash;
use engine::frame::Size;
use engine::onnx::Model;
use engine::onnx::proto::data_type;
use engine::onnx::quantize::{QUANTIZED_FROM, metadata};
use engine::sample::{Batch, NetworkKind, SampleOptions, probe, unet};

use crate::support::{Answer, Workplace, has_onnxruntime, interrupt, small};

const MODEL: &str = "pkg/checkpoint/model_best.onnx";
const QUANTIZED: &str = "pkg/checkpoint/model_best.int8.onnx";

/// A package with a network of the real architecture, small sides.
fn real(batch: Batch) -> Workplace {
    Workplace::with(&SampleOptions {
        size: Size::new(256, 256),
        side: 160,
        network: NetworkKind::Unet,
        batch,
        ..small()
    })
}

#[test]
fn a_network_is_quantized_beside_itself_and_runs_like_it() {
    if !has_onnxruntime() {
        return;
    }
    let work = real(Batch::Fixed(1));
    let answer = work.run(&["quantize", MODEL, "--package", "pkg", "--frames", "3"]).assert_ok();
    for part in [
        "network     pkg/checkpoint/model_best.onnx",
        "calibrated  on 3 frames, judged by 3 others",
        "in floats   ",
        "for TensorRT, in int8 around 0: ",
        "wrote       pkg/checkpoint/model_best.int8.onnx: ",
        "next: engine-cli render pkg -o out.mp4 --model pkg/checkpoint/model_best.int8.onnx",
    ] {
        assert!(answer.stderr.contains(part), "no {part:?} in {}", answer.stderr);
    }
    let model = Model::load(work.path(QUANTIZED)).unwrap();
    let hash = FileHash::of_file(&work.path(MODEL)).unwrap().sha256;
    assert_eq!(metadata(model.proto(), QUANTIZED_FROM), Some(&hash[..]));

    // The other frames decide the same way as the command that compares.
    let compare = ["compare", MODEL, QUANTIZED, "--package", "pkg", "--all", "--min-psnr", "38"];
    work.run(&compare).assert_ok();
    // What stays in floats is in fp32 there, or the frames would be far off.
    if crate::openvino::library().is_some() {
        let openvino = ["--backend", "openvino", "--precision", "int8"];
        work.run(&[&compare[..], &openvino].concat()).assert_ok();
    }
    work.run(&["quantize", QUANTIZED])
        .assert_refused(&["model_best.int8.onnx: cannot be quantized", "is quantized already"]);
    assert_eq!(work.run(&["inspect", "pkg"]).assert_ok().stderr, "");
    #[cfg(feature = "tensorrt")]
    converts(&work);
}

/// NVIDIA's own builder takes the network, in int8 around 0 and for any batch.
#[cfg(feature = "tensorrt")]
fn converts(work: &Workplace) {
    let Some(rtx) = crate::convert::rtx() else { return };
    let run = |args: &[&str]| crate::convert::convert(work, &rtx, QUANTIZED, args);
    let answer = run(&["-o", "m.engine", "--verify-graph"]).assert_ok();
    let said = "tensors were uint8, and are int8 around 0 now";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    assert!(answer.stderr.contains("batch       was fixed to 1"), "{}", answer.stderr);
    let record = crate::convert::record(work, "m.engine");
    assert!(record["graph"]["symmetric"].as_u64().unwrap() > 50, "{record}");
    run(&["-o", "half.engine", "--precision", "fp16"]).assert_refused(&[
        "model_best.int8.onnx: cannot be converted to fp16",
        "use it as it is (--precision fp32)",
    ]);
}

#[test]
fn what_cannot_be_quantized_leaves_nothing() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    let before = work.names("pkg/checkpoint");
    let refused = |args: &[&str], parts: &[&str]| {
        work.run(&[&["quantize"], args].concat()).assert_refused(parts);
        assert_eq!(work.names("pkg/checkpoint"), before);
        assert!(!work.names(".").iter().any(|name| name.contains("q.onnx")));
    };
    refused(&[MODEL], &["model_best.onnx: cannot be quantized", "has no convolution"]);
    refused(&["none.onnx"], &["none.onnx: no such file"]);
    fs::copy(work.path(MODEL), work.path("alone.onnx")).unwrap();
    refused(&["alone.onnx"], &["alone.onnx", "lies in no avatar package", "--package"]);
    refused(&["none.onnx", "--package", "pkg"], &["none.onnx: no such file"]);
    refused(&[MODEL, "-o", MODEL], &["-o is", "the network itself"]);
    refused(
        &[MODEL, "-o", "pkg/checkpoint/audio_encoder.onnx"],
        &["-o is", "belongs to the package"],
    );
    work.write("m.engine", "engine");
    refused(&["m.engine", "--package", "pkg"], &["m.engine: is an engine", "ONNX"]);

    let bytes = fs::read(work.path(MODEL)).unwrap();
    work.write("cut.onnx", &bytes[..bytes.len() / 2]);
    refused(&["cut.onnx", "--package", "pkg", "-o", "q.onnx"], &["cut.onnx", "truncated"]);
    unet(160, 1, Batch::Symbolic).unwrap().save(work.path("large.onnx")).unwrap();
    refused(&["large.onnx", "--package", "pkg", "-o", "q.onnx"], &["168"]);
    refused(
        &["large.onnx", "--package", "none", "-o", "q.onnx"],
        &["cannot read none", "No such file"],
    );
    let mut half = probe(32, Batch::Symbolic);
    let graph = half.proto_mut().graph.as_mut().unwrap();
    graph.initializer[0].data_type = Some(data_type::FLOAT16);
    half.save(work.path("half.onnx")).unwrap();
    let args = ["half.onnx", "--package", "pkg", "-o", "q.onnx"];
    refused(&args, &["\"half\" is float16", "start from the fp32 network"]);

    for (option, value, expected) in [
        ("-o", "q.engine", "ends in .onnx"),
        ("--frames", "0", "expected 1 to 4096"),
        ("--min-psnr", "NaN", "decibels"),
        ("--min-psnr", "-1", "decibels"),
    ] {
        work.run(&["quantize", MODEL, option, value]).assert_usage(&[option, expected]);
    }
}

#[test]
fn a_folder_that_takes_no_file_is_found_out_before_the_work() {
    if !has_onnxruntime() {
        return;
    }
    let work = real(Batch::Symbolic);
    let answer = work.run(&["quantize", MODEL, "-o", "none/q.onnx"]);
    answer.assert_refused(&["cannot create the file none/q.onnx", "there is no folder none"]);
    assert!(!answer.stderr.contains("calibrating"), "{}", answer.stderr);
}

#[test]
fn ctrl_c_leaves_nothing() {
    if !has_onnxruntime() {
        return;
    }
    let work = real(Batch::Symbolic);
    let args = ["quantize", MODEL, "-o", "q.onnx"];
    let mut child = work.start(&args);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    while !said.last().is_some_and(|line: &String| line.starts_with("package")) {
        said.push(stderr.next().unwrap().unwrap());
    }
    interrupt(&child);
    said.extend(stderr.map(Result::unwrap));
    let answer = Answer::of(&args, child.wait_with_output().unwrap());
    assert_eq!(answer.code, Some(130), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("error:")), "{said:?}");
    assert_eq!(work.names("."), ["pkg"]);
}
