//! Networks on OpenVINO: what they predict, in which order, and what is refused.

#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::backend::{
    Backend, BackendError, OnnxRuntime, OnnxRuntimeOptions, OpenVino, OpenVinoOptions,
    OpenVinoPrecision, Simulated, find_onnxruntime,
};
use engine::batch::{Assembler, HostBatch, Predicted};
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::frame::{ModelGeometry, Size};
use engine::onnx::Model;
use engine::onnx::proto::{AttributeProto, NodeProto, TensorProto, data_type};
use engine::pipeline::{CancelToken, Mode};
use engine::sample::{Batch, Form, NetworkKind, SampleOptions, probe, write_package};
use engine::sink::ImageFormat;
use engine_sys::search::find_openvino;
use support::{Collect, Exact, SIDE, Setting, geometry, package, pipeline};

/// Frames of the packages here.
const FRAMES: usize = 5;

/// OpenVINO's library, or a word about its absence.
fn library() -> Option<PathBuf> {
    find_openvino(None)
        .map_err(|error| eprintln!("SKIPPED: {error}; then cargo test -p engine --test openvino"))
        .ok()
}

fn options(library: &Path) -> OpenVinoOptions {
    let precision = OpenVinoPrecision::Fp32;
    OpenVinoOptions { library: library.to_owned(), threads: 2, streams: 1, precision }
}

/// A package with the probe network, and where that is.
fn sample() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), FRAMES);
    let model = folder.path().join("checkpoint/model_best.onnx");
    (folder, model)
}

/// A package for the smallest network of the real architecture, and where that is.
fn sample_unet() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let options = SampleOptions {
        frames: FRAMES,
        size: Size::new(256, 256),
        side: 160,
        form: Form::Images(ImageFormat::Png),
        network: NetworkKind::Unet,
        batch: Batch::Symbolic,
        seed: 3,
        rects: None,
    };
    write_package(folder.path(), &options, |_| ControlFlow::Continue(())).unwrap();
    let model = folder.path().join("checkpoint/model_best.onnx");
    (folder, model)
}

fn store(folder: &Path, geometry: ModelGeometry) -> (FrameStore, Assembler) {
    let package = Arc::new(Package::open(folder, geometry, Inputs::Package).unwrap());
    let assembler = Assembler::new(package.features().unwrap());
    let storage = StoreOptions { mode: StoreMode::Ram, ram_budget: 1 << 30, decode_threads: 1 };
    (FrameStore::open(package, &storage, &mut |_, _| ()).unwrap(), assembler)
}

/// Puts the frames `from` to `to` into a batch.
fn fill(batch: &mut HostBatch, folder: &Path, from: u64, to: u64) {
    let (store, assembler) = store(folder, batch.geometry());
    for sample in store.source(from..to, FRAMES + 1).unwrap() {
        assembler.push(batch, sample.unwrap());
    }
}

/// What a backend predicts for the first frames, in batches of up to `batch`.
fn predict(backend: &mut dyn Backend, folder: &Path, batch: usize) -> Vec<Vec<f32>> {
    let mut predicted = Vec::new();
    for from in (0..FRAMES).step_by(batch) {
        let mut host = backend.allocate(batch).unwrap();
        fill(&mut host, folder, from as u64, (from + batch).min(FRAMES) as u64);
        let in_flight = backend.enqueue(host).unwrap();
        let mut completed = backend.wait(in_flight).unwrap();
        let (samples, predictions) = completed.split();
        for (slot, sample) in samples.iter().enumerate() {
            match predictions.get(slot, sample.index) {
                Predicted::Planes(floats) => predicted.push(floats.to_vec()),
                Predicted::Patch(_) => panic!("nothing composites here"),
            }
        }
    }
    predicted
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_unet_predicts_what_it_does_on_onnx_runtime_whatever_the_batch_and_the_streams() {
    let Some(library) = library() else { return };
    let (folder, model) = sample_unet();
    let mut first: Option<Vec<Vec<f32>>> = None;
    for (batch, streams) in [(1, 1), (2, 1), (3, 2), (8, 2)] {
        let options = OpenVinoOptions { streams, ..options(&library) };
        let mut backend = OpenVino::open(&model, &options).unwrap();
        let predicted = predict(&mut backend, folder.path(), batch);
        assert_eq!(predicted.len(), FRAMES);
        assert_ne!(predicted[0], predicted[1], "frames differ, and so do predictions");
        let first = first.get_or_insert_with(|| predicted.clone());
        assert!(*first == predicted, "batch {batch}, {streams} streams: other bits");
    }
    let Ok(library) = find_onnxruntime(None) else {
        return eprintln!("SKIPPED the comparison: no ONNX Runtime; run scripts/setup");
    };
    let options = OnnxRuntimeOptions { library, threads: 2 };
    let mut reference = OnnxRuntime::open(&model, &options).unwrap();
    let expected = predict(&mut reference, folder.path(), 1);
    let difference = largest_difference(&first.unwrap(), &expected);
    assert!(difference < 1e-5, "32-bit floats are not that far off: {difference}");
}

#[test]
fn frames_are_those_of_the_exact_network_complete_and_in_order() {
    let Some(library) = library() else { return };
    let (folder, model) = sample();
    let run = |backend: Box<dyn Backend>, setting: Setting, count: u64| {
        let collect = Collect::default();
        let mut pipeline = pipeline(folder.path(), setting, 12, backend);
        pipeline.run(count, Box::new(collect.clone()), &CancelToken::new()).unwrap();
        let collected = collect.take();
        assert!(collected.finished);
        collected.frames
    };
    let expected = run(Box::new(Exact::new()), Setting::default(), 11);
    for (count, batch, workers, streams, mode) in [
        (1, 4, 2, 1, Mode::Pipelined),
        (11, 1, 1, 1, Mode::Pipelined),
        (11, 1, 2, 2, Mode::Pipelined),
        (7, 3, 4, 1, Mode::Pipelined),
        (11, 4, 2, 2, Mode::Pipelined),
        (11, 8, 3, 2, Mode::Sequential),
    ] {
        let options = OpenVinoOptions { streams, ..options(&library) };
        let backend = Box::new(OpenVino::open(&model, &options).unwrap());
        let frames = run(backend, Setting { batch, workers, mode, ..Setting::default() }, count);
        assert_eq!(frames.len() as u64, count);
        assert!(
            frames == expected[..frames.len()],
            "{count} frames, batch {batch}, {workers} workers, {streams} streams, {mode}"
        );
    }
}

#[test]
fn every_stream_has_a_frame_while_a_batch_is_handed_over() {
    let Some(library) = library() else { return };
    let (_folder, model) = sample();
    for (threads, streams, batch, in_flight) in
        [(2, 1, 1, 2), (2, 2, 1, 3), (2, 2, 2, 2), (2, 2, 256, 2), (4, 4, 3, 3), (4, 3, 2, 3)]
    {
        let options = OpenVinoOptions { threads, streams, ..options(&library) };
        let backend = OpenVino::open(&model, &options).unwrap();
        assert_eq!(backend.max_in_flight(batch), in_flight, "{streams} streams, batch {batch}");
    }
}

#[test]
fn two_batches_are_in_flight_and_a_third_is_refused() {
    let Some(library) = library() else { return };
    let (folder, model) = sample();
    let mut backend = OpenVino::open(&model, &options(&library)).unwrap();
    assert_eq!((backend.name(), backend.provider()), ("openvino", "CPU fp32"));
    assert_eq!((backend.max_in_flight(2), backend.cpu_threads()), (2, 2));
    let expected = predict(&mut backend, folder.path(), 1);
    let batch = |backend: &OpenVino, from, to| {
        let mut batch = backend.allocate(2).unwrap();
        fill(&mut batch, folder.path(), from, to);
        batch
    };
    let batches = [batch(&backend, 0, 2), batch(&backend, 2, 3), batch(&backend, 3, 5)];
    let [first, second, third] = batches;
    let first = backend.enqueue(first).unwrap();
    let second = backend.enqueue(second).unwrap();
    let error = backend.enqueue(third).unwrap_err().to_string();
    assert_eq!(error, "a batch was enqueued, but as many are in flight as may be");
    let mut ends = Vec::new();
    for (in_flight, from, frames) in [(first, 0, 2), (second, 2, 1)] {
        let mut completed = backend.wait(in_flight).unwrap();
        let (samples, predictions) = completed.split();
        assert_eq!(samples.len(), frames);
        for (slot, sample) in samples.iter().enumerate() {
            let Predicted::Planes(floats) = predictions.get(slot, sample.index) else { panic!() };
            assert!(*floats == expected[from + slot]);
        }
        let infer = completed.trace_mut().infer;
        assert!(infer.start <= infer.end);
        ends.push(infer);
    }
    assert!(ends[1].start >= ends[0].end, "what overlaps is not counted twice");
    // One that is left in flight is waited for by whoever drops the backend.
    let left = batch(&backend, 0, 2);
    let _left = backend.enqueue(left).unwrap();
    drop(backend);
}

#[test]
fn memory_and_batches_of_others_are_refused() {
    let Some(library) = library() else { return };
    let (_folder, model) = sample();
    let mut backend = OpenVino::open(&model, &options(&library)).unwrap();
    let mut other = Simulated::new(geometry(), 0.0).unwrap();
    let error = backend.enqueue(other.allocate(1).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "a batch was enqueued, but its memory is not what this backend allocated");
    let foreign = other.enqueue(other.allocate(1).unwrap()).unwrap();
    let error = backend.wait(foreign).unwrap_err().to_string();
    assert_eq!(error, "a batch was waited for, but another backend has it");
}

#[test]
fn a_fixed_batch_is_filled_as_far_as_there_are_frames() {
    let Some(library) = library() else { return };
    let (folder, model) = sample();
    let expected =
        predict(&mut OpenVino::open(&model, &options(&library)).unwrap(), folder.path(), 1);
    let three = folder.path().join("three.onnx");
    probe(SIDE, Batch::Fixed(3)).save(&three).unwrap();
    let mut backend = OpenVino::open(&three, &options(&library)).unwrap();
    let error = backend.allocate(4).unwrap_err().to_string();
    assert!(error.contains("fixed to 3") && error.contains("use --batch 3"), "{error}");
    assert!(predict(&mut backend, folder.path(), 3) == expected);
}

/// The network, whose image goes through 8 bits first: of bytes over 255 nothing is lost.
fn quantized(model: &Path) -> Model {
    let mut model = Model::load(model).unwrap();
    let graph = model.proto_mut().graph.as_mut().unwrap();
    for node in &mut graph.node {
        node.input.iter_mut().filter(|name| *name == "input").for_each(|name| {
            *name = "input.dequantized".into();
        });
    }
    let node = |operator: &str, from: &str, to: &str| NodeProto {
        input: [from, "scale", "zero"].map(str::to_owned).into(),
        output: vec![to.into()],
        name: Some(to.into()),
        op_type: Some(operator.into()),
        attribute: Vec::<AttributeProto>::new(),
        ..Default::default()
    };
    let pair = [
        node("QuantizeLinear", "input", "input.quantized"),
        node("DequantizeLinear", "input.quantized", "input.dequantized"),
    ];
    graph.node.splice(0..0, pair);
    graph.initializer.push(TensorProto {
        name: Some("scale".into()),
        data_type: Some(data_type::FLOAT),
        float_data: vec![1.0 / 255.0],
        ..Default::default()
    });
    graph.initializer.push(TensorProto {
        name: Some("zero".into()),
        // UINT8.
        data_type: Some(2),
        int32_data: vec![0],
        ..Default::default()
    });
    model
}

#[test]
fn a_network_runs_in_what_the_processor_has_and_in_nothing_else() {
    let Some(library) = library() else { return };
    let (folder, model) = sample_unet();
    let (_version, cpu) = OpenVino::describe(&library).unwrap();
    assert!(cpu.precisions().contains(&OpenVinoPrecision::Fp32));
    let quantized_model = folder.path().join("quantized.onnx");
    quantized(&model).save(&quantized_model).unwrap();
    let exact = predict(&mut OpenVino::open(&model, &options(&library)).unwrap(), folder.path(), 2);
    for precision in OpenVinoPrecision::ALL {
        let options = OpenVinoOptions { precision, ..options(&library) };
        let model = if precision == OpenVinoPrecision::Int8 { &quantized_model } else { &model };
        match (OpenVino::open(model, &options), cpu.precisions().contains(&precision)) {
            (Ok(mut backend), true) => {
                assert_eq!(backend.provider(), format!("CPU {precision}"));
                let predicted = predict(&mut backend, folder.path(), 2);
                let difference = largest_difference(&exact, &predicted);
                assert!(difference < 0.05, "{precision}: {difference}");
                // OpenVINO computes in bf16 where nobody says that it shall not.
                let exact = precision == OpenVinoPrecision::Fp32;
                assert_eq!(difference == 0.0, exact, "{precision}: {difference}");
            }
            (Err(error @ BackendError::Precision { .. }), false) => {
                let text = error.to_string();
                assert!(text.starts_with(&format!("--precision {precision} is not for")), "{text}");
                assert!(text.contains("expected one of fp32"), "{text}");
            }
            (Ok(_), false) => panic!("{precision} runs, and should not"),
            (Err(error), _) => panic!("{precision}: {error}"),
        }
    }
}

/// Why opening fails.
fn refusal(model: &Path, options: &OpenVinoOptions) -> String {
    match OpenVino::open(model, options) {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let Some(library) = library() else { return };
    let (folder, model) = sample();
    let good = options(&library);
    let text = refusal(&model, &OpenVinoOptions { streams: 3, ..good.clone() });
    assert_eq!(text, "--streams 3 need as many threads, but --threads is 2");
    let int8 = OpenVinoOptions { precision: OpenVinoPrecision::Int8, ..good.clone() };
    let text = refusal(&model, &int8);
    assert!(text.contains("no QuantizeLinear") && text.contains("engine-cli quantize"), "{text}");

    let bytes = fs::read(&model).unwrap();
    let file = folder.path().join("bad.onnx");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(refusal(&file, &good).contains("truncated"));
    let mut unknown = Model::load(&model).unwrap();
    let graph = unknown.proto_mut().graph.as_mut().unwrap();
    graph.node[0].op_type = Some("FourierMagic".into());
    unknown.save(&file).unwrap();
    let Err(error) = OpenVino::open(&file, &good) else { panic!("it opens") };
    assert!(error.to_string().contains("bad.onnx: OpenVINO cannot load this"), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("FourierMagic") && !source.contains('\n'), "{source}");
}

#[test]
fn a_second_library_in_one_process_is_refused() {
    let Some(library) = library() else { return };
    let (folder, model) = sample();
    OpenVino::open(&model, &options(&library)).unwrap();
    let copy = folder.path().join("libopenvino_c.so");
    fs::copy(&library, &copy).unwrap();
    let text = refusal(&model, &options(&copy));
    assert!(text.contains("is already loaded in this process"), "{text}");
}
