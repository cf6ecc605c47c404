//! Networks that cannot be run.

use std::process::Command;

use engine::onnx::proto::type_proto::{Tensor, Value};
use engine::onnx::proto::{DimensionValue, GraphProto, TensorProto, ValueInfoProto};
use engine::sample::{Batch, SampleOptions, probe};

use crate::support::{Answer, SIMULATED, Workplace, frame_names, has_onnxruntime, small};

const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;

/// Renders with `model` on both backends and inspects it; all must refuse it with all `parts`.
#[track_caller]
fn assert_refused(work: &Workplace, model: &str, parts: &[&str]) {
    let parts = [&[model], parts].concat();
    work.assert_render_refused(&["--model", model], &parts);
    work.run(&["inspect", model]).assert_failed(1, &parts);
    if has_onnxruntime() {
        work.run(&["render", "pkg", "-o", "out", "--model", model]).assert_refused(&parts);
        assert_eq!(work.names("out"), [""; 0]);
    }
}

#[test]
fn files_that_are_not_onnx() {
    let work = Workplace::new();
    work.write("text.onnx", "a text file\n".repeat(20));
    assert_refused(&work, "text.onnx", &["is not an ONNX model, or it is truncated"]);
    work.write("empty.onnx", "");
    assert_refused(&work, "empty.onnx", &["is empty (0 bytes)"]);
    std::fs::copy(work.path("pkg/checkpoint/model_best.onnx"), work.path("cut.onnx")).unwrap();
    work.halve("cut.onnx");
    assert_refused(&work, "cut.onnx", &["is not an ONNX model, or it is truncated"]);
    work.assert_render_refused(&["--model", "none.onnx"], &["none.onnx", "No such file"]);
    work.assert_render_refused(&["--model", "pkg"], &["pkg", "Is a directory"]);
}

#[test]
fn pipes_and_devices_are_refused_rather_than_waited_for() {
    let work = Workplace::new();
    let made = Command::new("mkfifo").arg(work.path("pipe")).status().unwrap();
    assert!(made.success());
    for (file, kind) in [("pipe", "this is a pipe"), ("/dev/zero", "this is a device")] {
        let parts = [file, kind, "expected a regular file"];
        assert_refused(&work, file, &parts);
        work.assert_render_refused(&["--features", file], &parts);
    }
    std::fs::rename(work.path("pipe"), work.path("pkg/dataset_manifest.json")).unwrap();
    work.assert_render_refused(&[], &["pkg/dataset_manifest.json", "this is a pipe"]);
}

/// Makes a sound network one that the engine cannot feed.
type Edit = fn(&mut GraphProto);

#[test]
fn networks_that_are_not_the_expected_one() {
    let work = Workplace::new();
    let cases: [(&str, Edit, &[&str]); 9] = [
        (
            "renamed",
            |graph| rename(graph, "input", "images"),
            &["no input \"input\"", "float32 [N,6,S,S]", "\"images\" float32 [N,6,32,32]"],
        ),
        (
            "mel",
            |graph| rename(graph, "audio", "mel"),
            &["no input \"audio\"", "float32 [N,32,16,16]", "\"mel\""],
        ),
        (
            "hubert",
            |graph| reshape(&mut graph.input, "audio", &[32, 32, 32]),
            &["input \"audio\" is float32 [N,32,32,32]", "hubert shape, which is not supported"],
        ),
        (
            "wenet",
            |graph| reshape(&mut graph.input, "audio", &[256, 16, 32]),
            &["input \"audio\" is float32 [N,256,16,32]", "wenet shape, which is not supported"],
        ),
        (
            "half",
            |graph| tensor(&mut graph.input, "input").elem_type = Some(FLOAT16),
            &["input \"input\" is float16 [N,6,32,32]", "expected float32 [N,6,S,S]"],
        ),
        (
            "depth",
            |graph| reshape(&mut graph.input, "input", &[9, 32, 32]),
            &["input \"input\" is float32 [N,9,32,32]", "expected float32 [N,6,S,S]"],
        ),
        (
            "tiny",
            |graph| reshape(&mut graph.input, "input", &[6, 8, 8]),
            &["input \"input\" is float32 [N,6,8,8]", "S of 16 to 2048"],
        ),
        (
            "output",
            |graph| {
                graph.output[0].name = Some("frames".to_owned());
                let names = graph.node.iter_mut().flat_map(|node| &mut node.output);
                names.filter(|name| *name == "output").for_each(|name| *name = "frames".to_owned());
            },
            &["no output \"output\"", "float32 [N,3,S,S]", "\"frames\" float32 [N,3,32,32]"],
        ),
        (
            "nan",
            |graph| {
                let is_float = |tensor: &&mut TensorProto| tensor.data_type() == FLOAT;
                let weights = graph.initializer.iter_mut().find(is_float).unwrap();
                let bytes = weights.raw_data.as_mut().unwrap();
                bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
            },
            &["its constant \"", "\" holds NaN; expected finite numbers"],
        ),
    ];
    for (name, edit, parts) in cases {
        let mut model = probe(32, Batch::Symbolic);
        edit(model.proto_mut().graph.as_mut().unwrap());
        let file = format!("{name}.onnx");
        model.save(work.path(&file)).unwrap();
        assert_refused(&work, &file, parts);
    }
}

/// Renames an input and its uses, so that the model stays sound.
fn rename(graph: &mut GraphProto, from: &str, to: &str) {
    let names = graph.node.iter_mut().flat_map(|node| &mut node.input);
    names.filter(|name| *name == from).for_each(|name| *name = to.to_owned());
    let input = graph.input.iter_mut().find(|input| input.name() == from).unwrap();
    input.name = Some(to.to_owned());
}

/// Sets the dimensions behind the batch.
fn reshape(list: &mut [ValueInfoProto], name: &str, dims: &[i64]) {
    let shape = tensor(list, name).shape.as_mut().unwrap();
    for (dim, size) in shape.dim[1..].iter_mut().zip(dims) {
        dim.value = Some(DimensionValue::DimValue(*size));
    }
}

fn tensor<'a>(list: &'a mut [ValueInfoProto], name: &str) -> &'a mut Tensor {
    let info = list.iter_mut().find(|info| info.name() == name).unwrap();
    match info.r#type.as_mut().unwrap().value.as_mut().unwrap() {
        Value::TensorType(tensor) => tensor,
        other => panic!("{name} is not a tensor: {other:?}"),
    }
}

#[test]
fn a_fixed_batch() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::with(&SampleOptions { batch: Batch::Fixed(1), ..small() });
    let render = |args: &[&str]| work.run(&[&["render", "pkg", "-o"], args].concat());
    for batch in [&["out"][..], &["out", "--batch", "3"]] {
        render(batch).assert_refused(&[
            "pkg/checkpoint/model_best.onnx: the model's batch is fixed to 1",
            "use --batch 1 or export the model again",
        ]);
        assert_eq!(work.names("out"), [""; 0]);
    }

    render(&["fixed", "--batch", "1"]).assert_ok();
    work.sample("symbolic", &small());
    work.run(&["render", "symbolic", "-o", "any"]).assert_ok();
    assert_eq!(work.names("fixed"), frame_names(6, "png"));
    for name in work.names("fixed") {
        let read = |folder: &str| std::fs::read(work.path(folder).join(&name)).unwrap();
        assert!(read("fixed") == read("any"), "{name}");
    }
}

#[test]
fn a_fixed_batch_that_bench_has_no_baseline_for() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::with(&SampleOptions { batch: Batch::Fixed(4), ..small() });
    work.run(&["bench", "--package", "pkg", "--batch", "4"]).assert_refused(&[
        "pkg/checkpoint/model_best.onnx: the model's batch is fixed to 4",
        "baseline",
        "render --batch 4",
    ]);
    let rendered = work.run(&["render", "pkg", "-o", "null", "--batch", "4"]).assert_ok();
    assert!(rendered.stderr.contains("6 of 6 frames"), "{}", rendered.stderr);
}

#[test]
fn a_damaged_runtime_library() {
    let work = Workplace::new();
    let render = |library: &str| work.run(&["render", "pkg", "-o", "out", "--ort-lib", library]);
    render("none.so").assert_refused(&["none.so: no such file", "--ort-lib must name"]);
    work.write("text.so", "no library");
    render("text.so").assert_refused(&["text.so: cannot be used as ONNX Runtime", "1.24 or newer"]);
    let args = ["render", "pkg", "-o", "out"];
    let answer = work.command(&args).env("ORT_DYLIB_PATH", "other.so").output().unwrap();
    Answer::of(&args, answer)
        .assert_refused(&["other.so: no such file", "ORT_DYLIB_PATH must name"]);
    assert_eq!(work.names("out"), [""; 0]);
}

#[test]
fn a_gpu_that_the_runtime_library_cannot_use() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    // The library that scripts/setup installs is the one for the CPU.
    let parts = [
        "libonnxruntime.so: ONNX Runtime cannot use the GPU",
        "libonnxruntime_providers_cuda.so is missing",
        "pip install onnxruntime-gpu",
        "--ort-lib",
    ];
    work.run(&["render", "pkg", "-o", "out", "--provider", "cuda"]).assert_refused(&parts);
    work.run(&["bench", "--package", "pkg", "--provider", "cuda", "--json", "out"])
        .assert_refused(&parts);
    work.run(&["render", "pkg", "-o", "out", "--provider", "tpu"]).assert_usage(&["cpu, cuda"]);
    assert_eq!(work.names("."), ["pkg"]);
    work.run(&["render", "pkg", "-o", "out", "--provider", "cpu"]).assert_ok();
}

#[test]
fn the_simulated_backend_needs_no_network() {
    let work = Workplace::with(&SampleOptions { side: 320, ..small() });
    std::fs::remove_dir_all(work.path("pkg/checkpoint")).unwrap();
    work.run(&[&["render", "pkg", "-o", "null"], &SIMULATED[..]].concat()).assert_ok();
}
