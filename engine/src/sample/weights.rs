//! Weights of convolutions: drawn at random, then set by hand where a signal must pass.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Gain of a random layer that a ReLU follows: keeps the mean square of the signal (He).
const RELU_GAIN: f32 = std::f32::consts::SQRT_2;
/// Gain of a random layer without ReLU.
const LINEAR_GAIN: f32 = 1.0;
/// Gain of the last layer of a residual branch, small so that sums of many do not run away.
const BRANCH_GAIN: f32 = 0.5;
/// Standard deviation of the biases.
const BIAS_DEVIATION: f32 = 0.01;

/// Where the tone curve bends; dense where the logit is steep.
pub(super) const TONE_KNOTS: [f32; 9] = [0.0, 0.015, 0.05, 0.12, 0.28, 0.72, 0.88, 0.95, 0.985];
/// The tone curve ends here, at the largest value of a pixel.
const TONE_END: f32 = 1.0;
/// The logit is infinite at 0 and 1: pixels are kept this far away from both.
const TONE_MARGIN: f32 = 0.003;

/// Shape of a convolution with a square kernel.
#[derive(Clone, Copy)]
pub(super) struct ConvShape {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    /// Down the rows, and along them.
    pub(super) strides: [usize; 2],
    pub(super) padding: usize,
    pub(super) groups: usize,
}

impl ConvShape {
    /// 1x1: mixes channels.
    pub(super) const fn pointwise(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, kernel: 1, strides: [1; 2], padding: 0, groups: 1 }
    }

    /// 3x3 on each channel alone.
    pub(super) const fn depthwise(channels: usize, stride: usize) -> Self {
        Self {
            inputs: channels,
            outputs: channels,
            kernel: 3,
            strides: [stride; 2],
            padding: 1,
            groups: channels,
        }
    }

    /// 3x3 on all channels.
    pub(super) const fn full(inputs: usize, outputs: usize, stride: usize, padding: usize) -> Self {
        Self { inputs, outputs, kernel: 3, strides: [stride; 2], padding, groups: 1 }
    }

    /// Dimensions of the weights: outputs, inputs of a group, rows, columns.
    pub(super) const fn weight_dims(self) -> [usize; 4] {
        [self.outputs, self.inputs / self.groups, self.kernel, self.kernel]
    }

    /// Weights of one output.
    const fn row_len(self) -> usize {
        self.inputs / self.groups * self.kernel * self.kernel
    }
}

/// Weights and biases of a convolution.
pub(super) struct Kernel {
    pub(super) shape: ConvShape,
    /// In the order of [`ConvShape::weight_dims`].
    pub(super) weight: Vec<f32>,
    /// One for each output.
    pub(super) bias: Vec<f32>,
}

impl Kernel {
    /// Makes `output` read nothing: its weights and bias become 0.
    pub(super) fn clear(&mut self, output: usize) {
        let row = self.shape.row_len();
        self.weight[output * row..][..row].fill(0.0);
        self.bias[output] = 0.0;
    }

    /// Sets the weight, at the centre of the kernel, with which `output` reads `input`; inputs are
    /// counted within the output's group.
    pub(super) fn set(&mut self, output: usize, input: usize, weight: f32) {
        let area = self.shape.kernel * self.shape.kernel;
        self.weight[output * self.shape.row_len() + input * area + area / 2] = weight;
    }

    /// Sets all weights with which `output` reads `input`, row after row.
    pub(super) fn set_all(&mut self, output: usize, input: usize, weights: &[f32]) {
        let area = self.shape.kernel * self.shape.kernel;
        self.weight[output * self.shape.row_len() + input * area..][..area]
            .copy_from_slice(weights);
    }

    /// Makes `output` a copy of `input`.
    pub(super) fn copy(&mut self, output: usize, input: usize) {
        self.clear(output);
        self.set(output, input, 1.0);
    }
}

/// Weights of an inverted residual block: widen, filter each channel, narrow.
pub(super) struct Block {
    pub(super) expand: Kernel,
    pub(super) depthwise: Kernel,
    pub(super) project: Kernel,
    /// Whether the block's input is added to its output.
    pub(super) residual: bool,
}

impl Block {
    /// Carries a non-negative channel through the block unchanged, by way of one `hidden` unit.
    pub(super) fn carry(&mut self, input: usize, hidden: usize, output: usize) {
        self.expand.copy(hidden, input);
        self.depthwise.copy(hidden, 0);
        self.project.copy(output, hidden);
    }

    /// Makes this residual block add to `channel`, holding x in 0 to 1, what turns it into
    /// logit(x) - logit(0): one hidden unit, from `first_hidden` on, for each bend of the curve.
    pub(super) fn apply_tone_curve(&mut self, channel: usize, first_hidden: usize) {
        self.project.clear(channel);
        // The residual connection already contributes x, a slope of 1.
        let mut slope = 1.0;
        for (i, &knot) in TONE_KNOTS.iter().enumerate() {
            let end = TONE_KNOTS.get(i + 1).copied().unwrap_or(TONE_END);
            let next_slope = (logit(end) - logit(knot)) / (end - knot);
            let hidden = first_hidden + i;
            self.expand.copy(hidden, channel);
            self.expand.bias[hidden] = -knot;
            self.depthwise.copy(hidden, 0);
            self.project.set(channel, hidden, next_slope - slope);
            slope = next_slope;
        }
    }
}

/// The inverse of the sigmoid, finite for pixel values 0 and 1.
pub(super) fn logit(x: f32) -> f32 {
    let x = x.clamp(TONE_MARGIN, 1.0 - TONE_MARGIN);
    (x / (1.0 - x)).ln()
}

/// The source of random weights.
pub(super) struct Weights {
    rng: ChaCha8Rng,
}

impl Weights {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Weights of a convolution that a ReLU follows.
    pub(super) fn before_relu(&mut self, shape: ConvShape) -> Kernel {
        self.kernel(shape, RELU_GAIN)
    }

    /// Weights of a convolution whose input is added to its output.
    pub(super) fn branch(&mut self, shape: ConvShape) -> Kernel {
        self.kernel(shape, BRANCH_GAIN)
    }

    /// Weights of a block that widens its input `expansion` times.
    pub(super) fn block(
        &mut self,
        inputs: usize,
        outputs: usize,
        stride: usize,
        expansion: usize,
        residual: bool,
    ) -> Block {
        let hidden = inputs * expansion;
        let gain = if residual { BRANCH_GAIN } else { LINEAR_GAIN };
        Block {
            expand: self.before_relu(ConvShape::pointwise(inputs, hidden)),
            depthwise: self.before_relu(ConvShape::depthwise(hidden, stride)),
            project: self.kernel(ConvShape::pointwise(hidden, outputs), gain),
            residual,
        }
    }

    /// Random weights that multiply the root mean square of a random signal by about `gain`.
    pub(super) fn kernel(&mut self, shape: ConvShape, gain: f32) -> Kernel {
        let deviation = gain / (shape.row_len() as f32).sqrt();
        let mut draw = |count: usize, deviation: f32| -> Vec<f32> {
            let normal = StandardNormal.sample_iter(&mut self.rng).take(count);
            normal.map(|value: f32| value * deviation).collect()
        };
        let weight = draw(shape.outputs * shape.row_len(), deviation);
        let bias = draw(shape.outputs, BIAS_DEVIATION);
        Kernel { shape, weight, bias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_curve_undoes_the_sigmoid() {
        let mut block = Weights::new(0).block(16, 16, 1, 2, true);
        block.apply_tone_curve(1, 3);
        for byte in 0..=255 {
            let x = byte as f32 / 255.0;
            let hidden = |i: usize| (x + block.expand.bias[3 + i]).max(0.0);
            let row = &block.project.weight[32..64];
            let bends: f32 = (0..TONE_KNOTS.len()).map(|i| row[3 + i] * hidden(i)).sum();
            let y = 1.0 / (1.0 + (-(logit(0.0) + x + bends)).exp());
            assert!((y - x).abs() < 0.017, "{x} became {y}");
        }
    }
}
