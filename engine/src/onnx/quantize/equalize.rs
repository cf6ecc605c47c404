//! Channels that use the whole range of their tensor.
//!
//! 8 bits are spread over the range of the widest channel of a tensor, so that a narrow one gets few
//! of the steps. What makes a channel can divide it by a factor if all that read it multiply by the
//! same: convolutions have weights for that, and a ReLU, a pool or an interpolation between them lets
//! a positive factor through. The network predicts what it did before, and its narrow channels are
//! wide.

use std::collections::HashMap;

use super::floats::{Constants, finite, float_tensor};
use super::graph::{prune_initializers, subgraph_reads};
use super::{GraphError, Layer, Quantizable};
use crate::onnx::names::{Names, attribute, is_standard};
use crate::onnx::proto::{NodeProto, TensorProto};

/// The smallest factor: a channel that is still narrower hardly counts, and its weights may.
const SMALLEST: f32 = 1.0 / 256.0;

impl Quantizable {
    /// The same network with channels as wide as their tensors. `largest` has the largest magnitude in
    /// each channel of the tensors that are known.
    ///
    /// # Errors
    /// Where weights cannot be read.
    pub fn equalized(&self, largest: &HashMap<String, Vec<f32>>) -> Result<Self, GraphError> {
        let mut equalized = self.clone();
        let graph = self.model.proto().graph.as_ref().ok_or(GraphError::NoGraph)?;
        let constants = Constants::of(graph);
        let channels = Channels::of(self, &constants);
        let factors = channels.factors(largest);
        let mut names = Names::of(self.model.proto());
        let proto = equalized.model.proto_mut().graph.as_mut().ok_or(GraphError::NoGraph)?;
        for layer in &self.layers {
            let node = &graph.node[layer.node];
            let read = channels.of_tensor(&layer.input, &factors);
            let made = node.output.first().and_then(|name| channels.of_tensor(name, &factors));
            let tensors = scaled(node, layer, &constants, read.as_deref(), made.as_deref())?;
            let inputs = &mut proto.node[layer.node].input;
            for (slot, mut tensor) in tensors.into_iter().enumerate() {
                let name = names.free(format!("{}_equalized", inputs[slot + 1]));
                tensor.name = Some(name.clone());
                inputs[slot + 1] = name;
                proto.initializer.push(tensor);
            }
        }
        // Layers are known by their places.
        prune_initializers(proto);
        Ok(equalized)
    }
}

/// Which channels have to have one factor, and which have to stay as they are.
struct Channels<'a> {
    /// The channels of each tensor, as numbers in `parents`.
    tensors: HashMap<&'a str, Vec<usize>>,
    /// Another channel with the same factor; itself where there is none.
    parents: Vec<usize>,
    fixed: Vec<bool>,
}

impl<'a> Channels<'a> {
    fn of(network: &'a Quantizable, constants: &Constants<'_>) -> Self {
        let mut all = Self { tensors: HashMap::new(), parents: Vec::new(), fixed: Vec::new() };
        let Some(graph) = &network.model.proto().graph else { return all };
        let layers: HashMap<usize, &Layer> =
            network.layers.iter().map(|layer| (layer.node, layer)).collect();
        for (at, node) in graph.node.iter().enumerate() {
            let made = match layers.get(&at) {
                Some(layer) => all.convolution(node, layer, constants),
                None if is_standard(node) => all.passes(node),
                None => None,
            };
            match (made, node.output.first()) {
                (Some(made), Some(output)) => _ = all.tensors.insert(output, made),
                _ => node.input.iter().for_each(|name| all.fix(name)),
            }
            subgraph_reads(node).iter().for_each(|name| all.fix(name));
        }
        graph.output.iter().for_each(|output| all.fix(output.name()));
        all
    }

    /// New channels, where a convolution can take factors out of those that it reads.
    fn convolution(
        &mut self,
        node: &NodeProto,
        layer: &Layer,
        constants: &Constants<'_>,
    ) -> Option<Vec<usize>> {
        let weights = &constants.float32(&node.input[1])?.dims;
        let groups = attribute(node, "group").map_or(1, |group| group.i());
        let (read, made) = match layer.axis {
            0 => (weights[1].checked_mul(groups)?, weights[0]),
            _ => (weights[0], weights[1]),
        };
        let bias = node.input.get(2).filter(|name| !name.is_empty());
        if bias.is_some_and(|name| constants.float32(name).is_none()) {
            return None;
        }
        let known = self.tensors.get(layer.input.as_str());
        if known.is_some_and(|known| known.len() as i64 != read) {
            return None;
        }
        let first = self.parents.len();
        let made = first..first + usize::try_from(made).ok()?;
        self.parents.extend(made.clone());
        self.fixed.resize(made.end, false);
        Some(made.collect())
    }

    /// The channels that come out of a node which lets positive factors through.
    fn passes(&mut self, node: &NodeProto) -> Option<Vec<usize>> {
        let of = |name: &String| self.tensors.get(name.as_str()).cloned();
        match node.op_type() {
            "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" | "Identity" | "LeakyRelu"
            | "MaxPool" | "Relu" | "Resize" => of(node.input.first()?),
            "Concat" if attribute(node, "axis").is_some_and(|axis| axis.i() == 1) => {
                let parts: Option<Vec<_>> = node.input.iter().map(of).collect();
                Some(parts?.concat())
            }
            "Add" => {
                let [a, b] = &node.input[..] else { return None };
                let (a, b) = (of(a)?, of(b)?);
                if a.len() != b.len() {
                    return None;
                }
                for (&a, &b) in a.iter().zip(&b) {
                    let (a, b) = (self.root(a), self.root(b));
                    self.parents[b] = a;
                    self.fixed[a] |= self.fixed[b];
                }
                Some(a)
            }
            _ => None,
        }
    }

    fn root(&self, mut channel: usize) -> usize {
        while self.parents[channel] != channel {
            channel = self.parents[channel];
        }
        channel
    }

    /// The tensor is read where a factor cannot be undone.
    fn fix(&mut self, name: &str) {
        for channel in self.tensors.get(name).cloned().unwrap_or_default() {
            let root = self.root(channel);
            self.fixed[root] = true;
        }
    }

    /// The factor of every root: how wide the channel is compared with the tensor, where that is
    /// widest.
    fn factors(&self, largest: &HashMap<String, Vec<f32>>) -> Vec<f32> {
        let mut factors = vec![0.0_f32; self.parents.len()];
        for (name, channels) in &self.tensors {
            let Some(largest) = largest.get(*name).filter(|l| l.len() == channels.len()) else {
                continue;
            };
            let widest = largest.iter().copied().fold(0.0, f32::max);
            for (&channel, &magnitude) in channels.iter().zip(largest) {
                let factor = &mut factors[self.root(channel)];
                *factor = factor.max(magnitude / widest.max(f32::MIN_POSITIVE));
            }
        }
        for (factor, fixed) in factors.iter_mut().zip(&self.fixed) {
            *factor = match *fixed || *factor == 0.0 {
                true => 1.0,
                false => factor.clamp(SMALLEST, 1.0),
            };
        }
        factors
    }

    /// The factors of a tensor's channels, where it has any.
    fn of_tensor(&self, name: &str, factors: &[f32]) -> Option<Vec<f32>> {
        let channels = self.tensors.get(name)?;
        Some(channels.iter().map(|&channel| factors[self.root(channel)]).collect())
    }
}

/// Weights and, where there are any, biases of a layer that reads channels divided by `read` and
/// divides what it makes by `made`; nothing where both leave it as it is.
fn scaled(
    node: &NodeProto,
    layer: &Layer,
    constants: &Constants<'_>,
    read: Option<&[f32]>,
    made: Option<&[f32]>,
) -> Result<Vec<TensorProto>, GraphError> {
    let is_one = |factors: Option<&[f32]>| factors.is_none_or(|f| f.iter().all(|&f| f == 1.0));
    let (Some(weight), false) = (constants.float32(&node.input[1]), is_one(read) && is_one(made))
    else {
        return Ok(Vec::new());
    };
    let mut values = finite(weight.name(), weight)?;
    let size = |at: usize| weight.dims[at].max(1) as usize;
    let inner: usize = (2..weight.dims.len()).map(size).product();
    let groups = attribute(node, "group").map_or(1, |group| group.i()).max(1) as usize;
    let factor = |factors: Option<&[f32]>, at: usize| {
        factors.and_then(|factors| factors.get(at)).copied().unwrap_or(1.0)
    };
    for (at, value) in values.iter_mut().enumerate() {
        let (outer, middle) = (at / inner / size(1), at / inner % size(1));
        let (input, output) = match layer.axis {
            0 => (outer / (size(0) / groups).max(1) * size(1) + middle, outer),
            _ => (outer, middle),
        };
        *value = *value * factor(read, input) / factor(made, output);
    }
    let mut tensors = vec![float_tensor("", &weight.dims, &values)];
    if let Some(bias) = node.input.get(2).and_then(|name| constants.float32(name)) {
        let mut values = finite(bias.name(), bias)?;
        for (at, value) in values.iter_mut().enumerate() {
            *value /= factor(made, at);
        }
        tensors.push(float_tensor("", &bias.dims, &values));
    }
    Ok(tensors)
}
