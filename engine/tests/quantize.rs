//! Networks in 8 bits, calibrated and judged on frames of a package.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use engine::backend::{ModelSpec, OnnxRuntimeOptions, find_onnxruntime};
use engine::dataset::Inputs;
use engine::file::FileHash;
use engine::frame::Size;
use engine::onnx::Model;
use engine::onnx::batch::make_batch_symbolic;
use engine::onnx::proto::{
    AttributeProto, GraphProto, NodeProto, TensorProto, attribute_type, data_type,
};
use engine::onnx::quantize::{QUANTIZED_FROM, metadata};
use engine::quality::DEFAULT_MIN_PSNR_DB;
use engine::quantize::{QuantizeError, QuantizeOptions, Quantized, Stage, quantize};
use engine::sample::{Batch, Form, NetworkKind, SampleOptions, probe, unet, write_package};
use engine::sink::ImageFormat;

const SIDE: usize = 32;

/// A package with a small network of convolutions, and the library to run it; `None` after saying
/// that the test is skipped.
struct Workplace {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Workplace {
    fn new(side: usize, frames: usize) -> Option<Self> {
        let library = match find_onnxruntime(None) {
            Ok(library) => library,
            Err(error) => {
                eprintln!("SKIPPED: {error}; run scripts/setup");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let options = SampleOptions {
            frames,
            size: Size::new(256, 256),
            side,
            form: Form::Images(ImageFormat::Png),
            network: NetworkKind::Probe,
            batch: Batch::Symbolic,
            seed: 3,
            rects: None,
        };
        write_package(folder.path(), &options, |_| ControlFlow::Continue(())).unwrap();
        Some(Self { folder, library })
    }

    fn write(&self, name: &str, model: &Model) -> PathBuf {
        let path = self.folder.path().join(name);
        model.save(&path).unwrap();
        path
    }

    fn options(&self, min_psnr_db: f64) -> QuantizeOptions {
        QuantizeOptions {
            package: self.folder.path().to_owned(),
            inputs: Inputs::Package,
            frames: 6,
            min_psnr_db,
            onnxruntime: OnnxRuntimeOptions { library: self.library.clone(), threads: 2 },
        }
    }

    fn quantize(&self, model: &Path, min_psnr_db: f64) -> Result<Quantized, QuantizeError> {
        quantize(model, &self.options(min_psnr_db), &|_, _, _| false)
    }
}

/// Weights between -0.5 and 0.5, the same every time.
fn weights(name: &str, dims: [i64; 4], scale: f32) -> TensorProto {
    let count = dims.iter().product::<i64>() as u32;
    let seed = name.bytes().fold(7_u32, |seed, byte| seed.wrapping_mul(31) + u32::from(byte));
    let value = |k: u32| {
        let mixed = (k + seed).wrapping_mul(2_654_435_761) >> 8;
        (mixed as f32 / (1 << 24) as f32 - 0.5) * scale
    };
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(data_type::FLOAT),
        float_data: (0..count).map(value).collect(),
        ..Default::default()
    }
}

fn node(op: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) -> NodeProto {
    let attribute = |&(name, values): &(&str, &[i64])| {
        let single = name == "group";
        AttributeProto {
            name: Some(name.into()),
            r#type: Some(if single { attribute_type::INT } else { attribute_type::INTS }),
            i: single.then(|| values[0]),
            ints: if single { Vec::new() } else { values.to_vec() },
            ..Default::default()
        }
    };
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        attribute: attributes.iter().map(attribute).collect(),
        ..Default::default()
    }
}

/// Seven convolutions with a residual connection, the audio added to all pixels.
fn network(batch: Batch) -> Model {
    const PADDED: (&str, &[i64]) = ("pads", &[1, 1, 1, 1]);
    let mut model = probe(SIDE, batch);
    let graph: &mut GraphProto = model.proto_mut().graph.as_mut().unwrap();
    graph.initializer = vec![
        weights("first", [8, 6, 3, 3], 0.5),
        weights("wide", [16, 8, 1, 1], 0.8),
        weights("each", [16, 1, 3, 3], 0.8),
        weights("narrow", [8, 16, 1, 1], 0.8),
        weights("loud", [4, 32, 3, 3], 0.1),
        weights("mix", [8, 4, 1, 1], 1.0),
        weights("paint", [3, 8, 1, 1], 2.0),
    ];
    graph.node = vec![
        node("Conv", &["input", "first"], "a", &[PADDED]),
        node("Relu", &["a"], "ar", &[]),
        node("Conv", &["ar", "wide"], "b", &[]),
        node("Relu", &["b"], "br", &[]),
        node("Conv", &["br", "each"], "c", &[PADDED, ("group", &[16])]),
        node("Relu", &["c"], "cr", &[]),
        node("Conv", &["cr", "narrow"], "d", &[]),
        node("Add", &["ar", "d"], "e", &[]),
        node("Conv", &["audio", "loud"], "f", &[]),
        node("GlobalAveragePool", &["f"], "fg", &[]),
        node("Conv", &["fg", "mix"], "g", &[]),
        node("Add", &["e", "g"], "h", &[]),
        node("Conv", &["h", "paint"], "i", &[]),
        node("Sigmoid", &["i"], "output", &[]),
    ];
    model
}

/// Operators of a model that compute in 8 bits.
fn integer_layers(model: &Model) -> usize {
    let graph = model.proto().graph.as_ref().unwrap();
    let held: Vec<_> =
        graph.initializer.iter().filter(|t| t.data_type() == data_type::INT8).collect();
    held.iter().filter(|tensor| tensor.dims.len() == 4).count()
}

#[test]
fn a_good_network_is_quantized_whole_and_twice_the_same() {
    let Some(work) = Workplace::new(SIDE, 12) else { return };
    let path = work.write("m.onnx", &network(Batch::Symbolic));
    let quantized = work.quantize(&path, 30.0).unwrap();
    assert_eq!((quantized.layers, quantized.kept.len(), quantized.calibrated), (7, 0, 6));
    assert_eq!(quantized.quality, quantized.all);
    assert_eq!(quantized.quality.frames, 6, "frames that were not calibrated on");
    assert!(quantized.quality.worst_psnr_db >= 30.0 && !quantized.quality.is_identical());
    assert!(quantized.symmetric.worst_psnr_db <= quantized.quality.worst_psnr_db + 0.5);
    assert_eq!(integer_layers(&quantized.model), 7);

    let again = work.quantize(&path, 30.0).unwrap();
    assert_eq!(again.model.to_bytes(), quantized.model.to_bytes());

    let hash = FileHash::of_file(&path).unwrap().sha256;
    let property = |key: &str| metadata(quantized.model.proto(), key).map(str::to_owned);
    assert_eq!(property(QUANTIZED_FROM), Some(hash));
    assert_eq!(property("engine.calibration_frames").as_deref(), Some("6"));
    assert_eq!(property("engine.float_layers").as_deref(), Some(""));
    let psnr = format!("{:.2}", quantized.quality.worst_psnr_db);
    assert_eq!(property("engine.worst_psnr_db"), Some(psnr));

    let written = work.write("q.onnx", &quantized.model);
    ModelSpec::declared(&written, &Model::load(&written).unwrap()).unwrap();
    let error = work.quantize(&written, 30.0).unwrap_err();
    assert!(matches!(error, QuantizeError::Graph { .. }), "{error}");
    assert!(error.to_string().contains("q.onnx: cannot be quantized"), "{error}");
}

#[test]
fn layers_go_back_to_floats_until_the_frames_are_good_enough() {
    let Some(work) = Workplace::new(SIDE, 12) else { return };
    let path = work.write("m.onnx", &network(Batch::Symbolic));
    let all = work.quantize(&path, 0.0).unwrap().all;
    let floor = all.worst_psnr_db + 3.0;
    let quantized = work.quantize(&path, floor).unwrap();
    let kept = quantized.kept.len();
    assert!((1..7).contains(&kept), "{kept} kept");
    assert_eq!(integer_layers(&quantized.model), 7 - kept);
    assert!(quantized.quality.worst_psnr_db >= floor + 0.5, "{:?}", quantized.quality);
    assert_eq!(quantized.all, all);
    let names: Vec<&str> = quantized.kept.iter().map(|layer| &layer.name[..]).collect();
    let label = metadata(quantized.model.proto(), "engine.float_layers").unwrap();
    assert_eq!(label, names.join(" "));
    assert!(quantized.kept.iter().all(|layer| layer.error > 0.0 && layer.error < 0.01));

    let error = work.quantize(&path, 199.0).unwrap_err();
    let QuantizeError::NothingLeft { layers: 7, min_psnr_db: 199.0, worst_db, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*worst_db, all.worst_psnr_db);
    assert!(error.to_string().contains("none of its 7 layers"), "{error}");
}

#[test]
fn a_fixed_batch_stays_fixed_and_changes_nothing_else() {
    let Some(work) = Workplace::new(SIDE, 12) else { return };
    let free = work.write("free.onnx", &network(Batch::Symbolic));
    let free = work.quantize(&free, 30.0).unwrap();
    for batch in [1, 4] {
        let fixed = work.write("fixed.onnx", &network(Batch::Fixed(batch)));
        let fixed = work.quantize(&fixed, 30.0).unwrap();
        let graph = |model: &Model| model.proto().graph.clone().unwrap();
        let inputs: Vec<_> = fixed.model.inputs().iter().map(ToString::to_string).collect();
        assert!(inputs[0].starts_with(&format!("input float32 [{batch},")), "{inputs:?}");
        // Six frames are two batches of four, the last two of which repeat one: the same ranges would
        // not do for the audio, whose values are counted twice.
        assert_eq!(graph(&fixed.model).node, graph(&free.model).node);
        if batch == 1 {
            assert_eq!(graph(&fixed.model).initializer, graph(&free.model).initializer);
        }
        let mut freed = fixed.model.clone();
        make_batch_symbolic(&mut freed).unwrap();
        assert_eq!(freed.inputs(), free.model.inputs());
        assert_eq!(graph(&freed).node, graph(&free.model).node);
        assert!((fixed.quality.worst_psnr_db - free.quality.worst_psnr_db).abs() < 1.0);
    }
}

#[test]
fn the_work_ends_when_somebody_asks() {
    let Some(work) = Workplace::new(SIDE, 12) else { return };
    let path = work.write("m.onnx", &network(Batch::Symbolic));
    let seen = |last: Option<(Stage, usize)>| {
        let stages = Cell::new(Vec::new());
        let result = quantize(&path, &work.options(60.0), &|stage, done, total| {
            let mut all = stages.take();
            all.push((stage, total));
            stages.set(all);
            Some((stage, done)) == last
        });
        (result, stages.take())
    };
    for last in [(Stage::Calibrating, 3), (Stage::Judging, 1), (Stage::Probing, 0)] {
        let (result, stages) = seen(Some(last));
        assert!(matches!(result, Err(QuantizeError::Cancelled)), "{last:?}");
        assert_eq!(stages.last().unwrap().0, last.0);
    }
    let (result, stages) = seen(None);
    assert!(result.is_ok());
    assert!(stages.contains(&(Stage::Calibrating, 6)));
    assert!(stages.contains(&(Stage::Probing, 7)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(work) = Workplace::new(SIDE, 2) else { return };
    let refused = |model: &Model| {
        let path = work.write("m.onnx", model);
        let error = work.quantize(&path, 40.0).unwrap_err();
        std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ")
    };
    // The package has crops for another side.
    let message = refused(&unet(160, 1, Batch::Symbolic).unwrap());
    assert!(message.contains("168"), "{message}");
    let message = refused(&probe(SIDE, Batch::Symbolic));
    assert!(message.contains("m.onnx: cannot be quantized: the network has no"), "{message}");
    let mut external = network(Batch::Symbolic);
    let graph = external.proto_mut().graph.as_mut().unwrap();
    graph.initializer[2].data_location = Some(1);
    let message = refused(&external);
    assert!(message.contains("\"each\" is stored outside the model file"), "{message}");
    let mut infinite = network(Batch::Symbolic);
    let graph = infinite.proto_mut().graph.as_mut().unwrap();
    graph.initializer[0].float_data.fill(3e38);
    let message = refused(&infinite);
    assert!(message.contains("holds inf") || message.contains("holds NaN"), "{message}");
}

#[test]
fn the_real_architecture_reaches_the_gate() {
    let Some(work) = Workplace::new(160, 4) else { return };
    let path = work.write("unet.onnx", &unet(160, 7, Batch::Symbolic).unwrap());
    let quantized = work.quantize(&path, DEFAULT_MIN_PSNR_DB).unwrap();
    assert!(
        quantized.quality.worst_psnr_db >= DEFAULT_MIN_PSNR_DB + 0.5,
        "{:?}",
        quantized.quality
    );
    assert!(quantized.kept.len() * 4 < quantized.layers, "{:?}", quantized.kept);
    let written = work.write("q.onnx", &quantized.model);
    let bytes = |path: &Path| path.metadata().unwrap().len() as f64;
    assert!(bytes(&written) < 0.3 * bytes(&path));
}
