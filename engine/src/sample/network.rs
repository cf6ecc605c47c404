//! The real network's architecture with weights of our own.

use crate::onnx::Model;

use super::graph::{GraphBuilder, int, string};
use super::weights::{Block, ConvShape, Kernel, TONE_KNOTS, Weights, logit};
use super::{AUDIO_DIMS, Batch, SampleError};

/// How much wider the inside of a block is than its input.
const EXPANSION: usize = 2;
/// Planes of the roi, the first channels of the input, and of the output.
const COLORS: usize = 3;
/// Gain of one layer on the audio's way; with less, the image drowns the audio where they join.
const AUDIO_GAIN: f32 = 8.0;
/// Root mean square of what the random part adds to the output, before the sigmoid; near 0.5 the
/// sigmoid makes a quarter of it.
const TINT_GAIN: f32 = 0.05;

/// Channels along the image's way, which halves or doubles its side at every step.
struct Layout {
    /// After each encoder step, finest first; the last is at the bottleneck, 10 x 10.
    encoder: &'static [usize],
    /// After each decoder step, coarsest first.
    decoder: &'static [usize],
}

impl Layout {
    fn of(side: usize) -> Result<Self, SampleError> {
        match side {
            160 => Ok(Self { encoder: &[32, 64, 128, 256, 512], decoder: &[128, 64, 32, 32] }),
            320 => {
                Ok(Self { encoder: &[32, 32, 64, 128, 256, 512], decoder: &[128, 64, 32, 32, 16] })
            }
            _ => Err(SampleError::NetworkSide { side }),
        }
    }
}

/// The SyncTalk_2D U-Net with audio features "ave" and batch normalisation folded into the
/// convolutions. At `side` 320: 93 convolutions, 12.15 million parameters, 4.89 GMAC a frame; at 160
/// one level less.
///
/// Inputs `input [N,6,S,S]` and `audio [N,32,16,16]`, output `output [N,3,S,S]` in 0 to 1, all f32;
/// `batch` says whether N is free. The weights are not trained but drawn from `seed`, except for a
/// path that carries the roi (channels 0 to 2) along the finest skip connection to the output. The
/// prediction is therefore the roi with a faint tint that depends on everything else, and the work
/// is that of the real network.
///
/// # Errors
/// [`SampleError::NetworkSide`] for a side other than 160 and 320: the architecture fixes the
/// bottleneck to 10 x 10, where the audio joins.
pub fn unet(side: usize, seed: u64, batch: Batch) -> Result<Model, SampleError> {
    let layout = Layout::of(side)?;
    let mut network = Network { graph: GraphBuilder::new("unet"), weights: Weights::new(seed) };
    network.graph.input("input", batch, &[2 * COLORS, side, side]);
    network.graph.input("audio", batch, &AUDIO_DIMS);
    network.graph.output("output", batch, &[COLORS, side, side]);
    network.graph.floats("upsample.scales", &[4], &[1.0, 1.0, 2.0, 2.0]);

    let levels = network.encode_image(&layout);
    let audio = network.encode_audio();
    let joined = network.join(&levels, &audio);
    let decoded = network.decode(&layout, levels, joined);
    network.paint(&decoded);
    Ok(network.graph.finish())
}

/// A value of the graph and the number of its channels.
struct Tensor {
    name: String,
    channels: usize,
}

impl Tensor {
    fn new(name: impl Into<String>, channels: usize) -> Self {
        Self { name: name.into(), channels }
    }
}

struct Network {
    graph: GraphBuilder,
    weights: Weights,
}

impl Network {
    /// The image at every level, finest first. The finest carries the roi in its first channels.
    fn encode_image(&mut self, layout: &Layout) -> Vec<Tensor> {
        let input = Tensor::new("input", 2 * COLORS);
        let mut weights =
            self.weights.block(input.channels, layout.encoder[0], 1, EXPANSION, false);
        for color in 0..COLORS {
            weights.carry(color, color, color);
        }
        let mut levels = vec![self.add_block("encoder.0", &input, &weights)];
        for (i, pair) in layout.encoder.windows(2).enumerate() {
            let level = self.double_block(&format!("encoder.{}", i + 1), &levels[i], pair[1], 2);
            levels.push(level);
        }
        levels
    }

    /// The audio window at the bottleneck: 512 channels, 10 x 10.
    fn encode_audio(&mut self) -> Tensor {
        let audio = Tensor::new("audio", AUDIO_DIMS[0]);
        let x = self.block("audio.0", &audio, 64, 1, false);
        let x = self.block("audio.1", &x, 128, 1, false);
        let mix = self.weights.before_relu(ConvShape::full(128, 256, 1, 1));
        let x = self.conv("audio.2", &x, &mix);
        let x = self.relu(&x);
        let x = self.block("audio.3", &x, 256, 1, true);
        let loud = self.weights.kernel(ConvShape::full(256, 512, 2, 3), AUDIO_GAIN);
        let x = self.conv("audio.4", &x, &loud);
        let x = self.relu(&x);
        let x = self.block("audio.5", &x, 512, 1, true);
        self.block("audio.6", &x, 512, 1, true)
    }

    /// Image and audio, mixed at the bottleneck.
    fn join(&mut self, levels: &[Tensor], audio: &Tensor) -> Tensor {
        let image = &levels[levels.len() - 1];
        let both = self.concat("join.concat", image, audio);
        let x = self.double_block("join.0", &both, 512, 1);
        self.double_block("join.1", &x, 256, 1)
    }

    /// Back to full size, joining the encoder's levels on the way.
    fn decode(&mut self, layout: &Layout, mut levels: Vec<Tensor>, joined: Tensor) -> Tensor {
        levels.pop();
        let mut x = joined;
        for (i, (&channels, skip)) in layout.decoder.iter().zip(levels.iter().rev()).enumerate() {
            let name = format!("decoder.{i}");
            let both = self.upsample_and_concat(&name, &x, skip);
            x = if i + 1 == layout.decoder.len() {
                self.finest_decoder(&name, &both, x.channels, channels)
            } else {
                self.double_block(&name, &both, channels, 1)
            };
        }
        x
    }

    /// The last decoder step. It takes the roi from the skip connection, whose channels begin at
    /// `skip_start`, and turns it into the logit that the final sigmoid undoes.
    fn finest_decoder(
        &mut self,
        name: &str,
        x: &Tensor,
        skip_start: usize,
        channels: usize,
    ) -> Tensor {
        let mut first = self.weights.block(x.channels, channels, 1, EXPANSION, false);
        for color in 0..COLORS {
            first.carry(skip_start + color, color, color);
        }
        let x = self.add_block(&format!("{name}.0"), x, &first);

        let mut second = self.weights.block(channels, channels, 1, EXPANSION, true);
        for color in 0..COLORS {
            second.apply_tone_curve(color, color * TONE_KNOTS.len());
        }
        self.add_block(&format!("{name}.1"), &x, &second)
    }

    /// The output: the carried roi, tinted by the random channels.
    fn paint(&mut self, x: &Tensor) {
        let mut kernel = self.weights.kernel(ConvShape::pointwise(x.channels, COLORS), TINT_GAIN);
        for color in 0..COLORS {
            for other in 0..COLORS {
                kernel.set(color, other, if other == color { 1.0 } else { 0.0 });
            }
            kernel.bias[color] = logit(0.0);
        }
        let x = self.conv("paint", x, &kernel);
        self.graph.node("Sigmoid", &[&x.name], "output", vec![]);
    }

    fn double_block(&mut self, name: &str, x: &Tensor, channels: usize, stride: usize) -> Tensor {
        let x = self.block(&format!("{name}.0"), x, channels, stride, false);
        self.block(&format!("{name}.1"), &x, channels, 1, true)
    }

    fn block(
        &mut self,
        name: &str,
        x: &Tensor,
        channels: usize,
        stride: usize,
        residual: bool,
    ) -> Tensor {
        let weights = self.weights.block(x.channels, channels, stride, EXPANSION, residual);
        self.add_block(name, x, &weights)
    }

    fn add_block(&mut self, name: &str, x: &Tensor, weights: &Block) -> Tensor {
        let wide = self.conv(&format!("{name}.expand"), x, &weights.expand);
        let wide = self.relu(&wide);
        let wide = self.conv(&format!("{name}.depthwise"), &wide, &weights.depthwise);
        let wide = self.relu(&wide);
        let narrow = self.conv(&format!("{name}.project"), &wide, &weights.project);
        if !weights.residual {
            return narrow;
        }
        let sum = format!("{name}.add");
        self.graph.node("Add", &[&x.name, &narrow.name], &sum, vec![]);
        Tensor::new(sum, narrow.channels)
    }

    fn conv(&mut self, name: &str, x: &Tensor, kernel: &Kernel) -> Tensor {
        self.graph.conv(&x.name, kernel, name);
        Tensor::new(name, kernel.shape.outputs)
    }

    fn relu(&mut self, x: &Tensor) -> Tensor {
        let name = format!("{}.relu", x.name);
        self.graph.node("Relu", &[&x.name], &name, vec![]);
        Tensor::new(name, x.channels)
    }

    fn upsample_and_concat(&mut self, name: &str, x: &Tensor, skip: &Tensor) -> Tensor {
        let upsampled = format!("{name}.upsample");
        let attributes = vec![
            string("mode", "linear"),
            string("coordinate_transformation_mode", "align_corners"),
        ];
        self.graph.node("Resize", &[&x.name, "", "upsample.scales"], &upsampled, attributes);
        let x = Tensor::new(upsampled, x.channels);
        self.concat(&format!("{name}.concat"), &x, skip)
    }

    fn concat(&mut self, name: &str, a: &Tensor, b: &Tensor) -> Tensor {
        self.graph.node("Concat", &[&a.name, &b.name], name, vec![int("axis", 1)]);
        Tensor::new(name, a.channels + b.channels)
    }
}
