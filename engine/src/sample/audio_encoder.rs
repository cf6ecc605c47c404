//! The real audio encoder's architecture with weights of our own.

use std::ops::Range;

use crate::audio::{Mel, STEP_ROWS, Sound, step_count, step_of_frame, step_start};
use crate::dataset::Features;
use crate::onnx::Model;

use super::Batch;
use super::graph::{GraphBuilder, int};
use super::weights::{ConvShape, Kernel, Weights};

/// The output value that is the loudness, and the channel that carries it through the layers.
pub(super) const LOUDNESS: usize = 0;
/// What the loudness is the mean of: these bands of these rows of a window. The rest of the kernels'
/// reach is cut off by strides.
const LOUD_BANDS: Range<usize> = 0..68;
const LOUD_ROWS: Range<usize> = 5..8;
/// Brings mel values, which are around 3 in size, into the range that the layers keep.
const INPUT_GAIN: f32 = 0.4;
/// Brings the random outputs to about 0.4 in the mean, as features of trained encoders are.
const OUTPUT_GAIN: f32 = 0.8;

/// A convolution that a ReLU follows; where `residual`, its input is added before that.
struct Layer {
    shape: ConvShape,
    residual: bool,
}

/// 3x3 with a margin of one.
const fn layer(inputs: usize, outputs: usize, strides: [usize; 2]) -> Layer {
    let shape = ConvShape { inputs, outputs, kernel: 3, strides, padding: 1, groups: 1 };
    Layer { shape, residual: false }
}

/// 3x3 that keeps its size, added to its input.
const fn residual(channels: usize) -> Layer {
    Layer { residual: true, ..layer(channels, channels, [1, 1]) }
}

/// The audio encoder of Wav2Lip's SyncNet, which SyncTalk_2D uses as "ave". From 80 bands x 16 rows
/// by way of 27 x 16, 9 x 6 and 3 x 3 to one point.
const LAYERS: [Layer; 13] = [
    layer(1, 32, [1, 1]),
    residual(32),
    residual(32),
    layer(32, 64, [3, 1]),
    residual(64),
    residual(64),
    layer(64, 128, [3, 3]),
    residual(128),
    residual(128),
    layer(128, 256, [3, 2]),
    residual(256),
    Layer { shape: ConvShape::full(256, 512, 1, 0), residual: false },
    Layer { shape: ConvShape::pointwise(512, 512), residual: false },
];

/// The AVE audio encoder with batch normalisation folded into its 13 convolutions: 2.8 million
/// parameters, 93 MMAC a step.
///
/// Input `mel [N,1,80,16]`, output `embedding [N,512]`, not negative, all f32; `batch` says whether N
/// is free. The weights are not trained but drawn from `seed`, except for a path that carries the
/// loudness to the first output: the mean of `(mel + 4) / 8` over bands 0 to 67 of rows 5 to 7, which
/// are those that sound while the step's frame is shown.
pub fn audio_encoder(seed: u64, batch: Batch) -> Model {
    let mut graph = GraphBuilder::new("audio_encoder");
    let mut weights = Weights::new(seed);
    graph.input("mel", batch, &[1, Mel::BANDS, STEP_ROWS]);
    graph.output("embedding", batch, &[Features::ROW]);
    let mut x = "mel".to_owned();
    for (i, layer) in LAYERS.iter().enumerate() {
        let mut kernel = match (i, layer.residual) {
            (_, true) => weights.branch(layer.shape),
            (0, _) => weights.kernel(layer.shape, INPUT_GAIN),
            (12, _) => weights.kernel(layer.shape, OUTPUT_GAIN),
            _ => weights.before_relu(layer.shape),
        };
        carry_loudness(i, layer, &mut kernel);
        let conv = format!("layer{i}");
        graph.conv(&x, &kernel, &conv);
        let sum = match layer.residual {
            true => {
                let sum = format!("{conv}.add");
                graph.node("Add", &[&x, &conv], &sum, vec![]);
                sum
            }
            false => conv.clone(),
        };
        x = format!("{conv}.relu");
        graph.node("Relu", &[&sum], &x, vec![]);
    }
    graph.node("Flatten", &[&x], "embedding", vec![int("axis", 1)]);
    graph.finish()
}

/// Rewrites what layer `i` makes channel [`LOUDNESS`] of.
fn carry_loudness(i: usize, layer: &Layer, kernel: &mut Kernel) {
    kernel.clear(LOUDNESS);
    /// Averages neighbouring bands, of one row.
    const BANDS: [f32; 9] = [0.0, THIRD, 0.0, 0.0, THIRD, 0.0, 0.0, THIRD, 0.0];
    const THIRD: f32 = 1.0 / 3.0;
    match i {
        // -4 to 4 becomes 0 to 1.
        0 => {
            kernel.set(LOUDNESS, 0, 1.0 / 8.0);
            kernel.bias[LOUDNESS] = 0.5;
        }
        // The input passes by what is added to it.
        _ if layer.residual => {}
        // Bands and rows, three of each.
        6 => kernel.set_all(LOUDNESS, LOUDNESS, &[1.0 / 9.0; 9]),
        // 81 bands have gone into it, had there been as many.
        12 => kernel.set(LOUDNESS, LOUDNESS, 81.0 / LOUD_BANDS.len() as f32),
        _ => kernel.set_all(LOUDNESS, LOUDNESS, &BANDS),
    }
}

/// The loudness in each of the first `frames` rows of features that an [`audio_encoder`] makes of
/// `sound`.
pub(super) fn loudness(sound: &Sound, frames: usize) -> Vec<f32> {
    let mel = sound.mel();
    let steps = step_count(mel.rows());
    let of_frame = |frame| {
        let start = step_start(step_of_frame(frame, steps), mel.rows());
        let rows = LOUD_ROWS.map(|row| mel.row(start + row));
        let values = rows.flat_map(|row| &row[LOUD_BANDS]).map(|value| (value + 4.0) / 8.0);
        values.sum::<f32>() / (LOUD_BANDS.len() * LOUD_ROWS.len()) as f32
    };
    (0..frames).map(of_frame).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::motion::Motion;
    use super::super::speech::Speech;
    use super::*;
    use crate::audio::Encoder;
    use crate::backend::{OnnxRuntimeOptions, find_onnxruntime};

    #[test]
    fn the_architecture_is_the_real_one() {
        let model = audio_encoder(0, Batch::Symbolic);
        let tensors = [&model.inputs()[0], &model.outputs()[0]].map(ToString::to_string);
        assert_eq!(tensors, ["mel float32 [N,1,80,16]", "embedding float32 [N,512]"]);
        let graph = model.proto().graph.as_ref().unwrap();
        let count = |op| graph.node.iter().filter(|node| node.op_type() == op).count();
        assert_eq!(["Conv", "Relu", "Add"].map(count), [13, 13, 7]);
        assert_eq!(model.parameter_count(), 2_808_256);
        assert_eq!(model, audio_encoder(0, Batch::Symbolic));
        assert_ne!(model, audio_encoder(1, Batch::Symbolic));
    }

    #[test]
    fn the_first_value_is_the_loudness() {
        let library = match find_onnxruntime(None) {
            Ok(library) => library,
            Err(error) => return eprintln!("SKIPPED: {error}; run scripts/setup"),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.onnx");
        audio_encoder(3, Batch::Symbolic).save(&path).unwrap();
        let options = OnnxRuntimeOptions { library, threads: 2 };
        let mut encoder = Encoder::open(&path, &options).unwrap();
        let sound = Speech::new(60, 3, &Motion::new(3)).sound();
        let features = encoder.features(&sound, &mut |_, _| ControlFlow::Continue(())).unwrap();
        let (mut window, mut sum) = (vec![0.0; Features::WINDOW_LEN], 0.0);
        for (frame, &expected) in loudness(&sound, 60).iter().enumerate() {
            features.window(frame as u64, &mut window);
            let row = &window[8 * 512..9 * 512];
            assert!((row[LOUDNESS] - expected).abs() < 1e-4, "frame {frame}: {}", row[LOUDNESS]);
            sum += row.iter().sum::<f32>();
        }
        let mean = sum / (60.0 * 512.0);
        assert!((0.2..0.8).contains(&mean), "the mean of all values is {mean}");
    }
}
