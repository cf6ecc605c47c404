//! Encoders on ONNX Runtime, where it is installed.

use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;

use tempfile::TempDir;

use super::super::{AudioError, Encoder, Mel, Sound, step_count, step_of_frame, step_start};
use crate::backend::{BatchLimit, OnnxRuntimeOptions, find_onnxruntime};
use crate::dataset::Features;
use crate::onnx::Model;
use crate::onnx::proto::type_proto::{Tensor, Value};
use crate::onnx::proto::*;
use crate::sample::{Batch, audio_encoder, probe};

/// A folder for encoders; `None`, with the reason on stderr, where nothing can run them.
struct Runtime {
    folder: TempDir,
    options: OnnxRuntimeOptions,
}

impl Runtime {
    fn new() -> Option<Self> {
        match find_onnxruntime(None) {
            Ok(library) => Some(Self {
                folder: tempfile::tempdir().unwrap(),
                options: OnnxRuntimeOptions { library, threads: 2 },
            }),
            Err(error) => {
                eprintln!("SKIPPED: {error}; run scripts/setup");
                None
            }
        }
    }

    fn open(&self, model: &Model) -> Result<Encoder, AudioError> {
        let path = self.folder.path().join("e.onnx");
        model.save(&path).unwrap();
        Encoder::open(&path, &self.options)
    }
}

/// A sound whose rows are all different.
fn sweep(samples: usize) -> Sound {
    let at = |n: usize| (n as f32 * n as f32 * 1e-5).sin() * (n as f32 / samples as f32);
    Sound::from_samples(&(0..samples).map(at).collect::<Vec<f32>>())
}

fn features(encoder: &mut Encoder, sound: &Sound) -> Features {
    encoder.features(sound, &mut |_, _| Continue(())).unwrap()
}

/// The rows, one after another.
fn rows(features: &Features) -> Vec<f32> {
    let mut window = vec![0.0; Features::WINDOW_LEN];
    let row = |k| {
        features.window(k, &mut window);
        window[8 * 512..9 * 512].to_vec()
    };
    (0..features.rows() as u64).flat_map(row).collect()
}

fn tensor(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = dims.iter().map(|&dim| match dim {
        0.. => DimensionValue::DimValue(dim),
        _ => DimensionValue::DimParam("any".into()),
    });
    let dim = dim.map(|value| Dimension { value: Some(value), denotation: None }).collect();
    let shape = Some(TensorShapeProto { dim });
    let tensor = Tensor { elem_type: Some(data_type::FLOAT), shape };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value: Some(Value::TensorType(tensor)), denotation: None }),
        ..Default::default()
    }
}

/// An encoder that gives the first 512 values of each window, after `op`.
fn first_values(op: &str, batch: i64) -> Model {
    let node = |op: &str, input: &[&str], output: &str| NodeProto {
        input: input.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        op_type: Some(op.into()),
        ..Default::default()
    };
    let ints = |name: &str, value: i64| TensorProto {
        name: Some(name.into()),
        dims: vec![1],
        data_type: Some(data_type::INT64),
        int64_data: vec![value],
        ..Default::default()
    };
    Model::from(ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(GraphProto {
            name: Some("g".into()),
            node: vec![
                node(op, &["sound in"], "x"),
                node("Flatten", &["x"], "flat"),
                node("Slice", &["flat", "from", "to", "axis"], "numbers out"),
            ],
            initializer: vec![ints("from", 0), ints("to", 512), ints("axis", 1)],
            input: vec![tensor("sound in", &[batch, 1, 80, 16])],
            output: vec![tensor("numbers out", &[batch, 512])],
            ..Default::default()
        }),
        ..Default::default()
    })
}

#[test]
fn every_frame_has_the_window_of_its_step() {
    let Some(runtime) = Runtime::new() else { return };
    for (batch, limit) in
        [(-1, BatchLimit::Any), (1, BatchLimit::Fixed(1)), (7, BatchLimit::Fixed(7))]
    {
        let mut encoder = runtime.open(&first_values("Identity", batch)).unwrap();
        assert_eq!(encoder.batch_limit(), limit);
        for samples in [1, 640, 3000, 9999, 16_000, 40_321] {
            let sound = sweep(samples);
            let features = features(&mut encoder, &sound);
            assert_eq!(features.rows(), samples.div_ceil(640), "{samples} samples");
            let steps = step_count(sound.mel().rows());
            let mut window = vec![0.0; Mel::WINDOW_LEN];
            for (frame, row) in rows(&features).chunks(512).enumerate() {
                let step = step_of_frame(frame, steps);
                sound.mel().window(step_start(step, sound.mel().rows()), &mut window);
                assert_eq!(row, &window[..512], "frame {frame} of {samples} samples");
            }
        }
    }
}

#[test]
fn the_real_architecture_gives_the_same_at_any_batch() {
    let Some(runtime) = Runtime::new() else { return };
    let sound = sweep(30_000);
    let of = |batch| rows(&features(&mut runtime.open(&audio_encoder(5, batch)).unwrap(), &sound));
    let expected = of(Batch::Fixed(1));
    let norm = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    for batch in [Batch::Symbolic, Batch::Fixed(4)] {
        let apart = of(batch).iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{batch:?}: {apart:e} apart, values up to {norm}");
        assert!(apart <= 1e-5 * norm, "{batch:?}: {apart}");
    }
}

#[test]
fn progress_counts_steps_and_can_end_the_work() {
    let Some(runtime) = Runtime::new() else { return };
    let mut encoder = runtime.open(&first_values("Identity", 7)).unwrap();
    let sound = sweep(16_000);
    let mut said = Vec::new();
    let mut progress = |done, steps| {
        said.push((done, steps));
        if done < 14 { Continue(()) } else { Break(()) }
    };
    let stopped = encoder.features(&sound, &mut progress).unwrap_err();
    assert!(matches!(stopped, AudioError::Stopped), "{stopped}");
    assert_eq!(said, [(7, 22), (14, 22)]);
}

#[test]
fn what_is_no_encoder_is_refused() {
    let Some(runtime) = Runtime::new() else { return };
    let refused = |model: &Model| runtime.open(model).unwrap_err().to_string();
    let message = refused(&probe(32, Batch::Symbolic));
    for part in ["e.onnx", "2 inputs", "\"audio\" float32 [N,32,16,16]", "[N,1,80,16]"] {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    let path = runtime.folder.path().join("cut.onnx");
    let bytes = audio_encoder(5, Batch::Symbolic).to_bytes();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let open = |path: &Path| Encoder::open(path, &runtime.options).unwrap_err().to_string();
    assert!(open(&path).contains("cut.onnx"));
    assert!(open(Path::new("/no/e.onnx")).contains("cannot read the model /no/e.onnx"));

    // Silence is -4, and that has no logarithm.
    let mut encoder = runtime.open(&first_values("Log", -1)).unwrap();
    let silence = Sound::from_samples(&[0.0; 5000]);
    let error = encoder.features(&silence, &mut |_, _| Continue(())).unwrap_err().to_string();
    assert!(error.contains("value 0 at step 0 is NaN; expected finite"), "{error}");
}
