//! What of a graph can compute in 8 bits.

use std::collections::HashSet;

use super::floats::{Constants, finite};
use super::{GraphError, QUANTIZED_FROM, batch_norm, metadata, opset};
use crate::backend::ModelSpec;
use crate::onnx::names::{attribute, describe, graphs, is_standard};
use crate::onnx::precision::quantizes;
use crate::onnx::proto::{GraphProto, NodeProto, data_type};
use crate::onnx::{ElementType, Model};

/// A convolution that can compute in 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name; where it has none, that of what it makes.
    pub name: String,
    /// Position of its node in the graph.
    pub(super) node: usize,
    /// Axis of the output channels in its weights.
    pub(super) axis: usize,
    /// The tensor that it reads.
    pub input: String,
    /// Multiplications for each value of that tensor, borders aside.
    pub products: f64,
    /// Values that it makes for each of them.
    pub made: f64,
}

/// A float32 network, and the layers of it that can compute in 8 bits.
#[derive(Clone, Debug)]
pub struct Quantizable {
    pub(super) model: Model,
    pub(super) layers: Vec<Layer>,
    /// Tensors that cannot be negative.
    non_negative: HashSet<String>,
}

impl Quantizable {
    /// Prepares `model`: operators of version 13 at least, batch normalisation folded into the
    /// convolutions.
    ///
    /// # Errors
    /// [`GraphError`]: it is quantized already, not float32 throughout, has no convolutions with
    /// constant weights, or constants that cannot be read.
    pub fn new(mut model: Model) -> Result<Self, GraphError> {
        refuse_others(&model)?;
        opset::raise(&mut model)?;
        batch_norm::fold(model.proto_mut())?;
        let graph = model.proto().graph.as_ref().ok_or(GraphError::NoGraph)?;
        let layers = layers(graph)?;
        let non_negative = non_negative(graph);
        match layers.is_empty() {
            true => Err(GraphError::NoLayers),
            false => Ok(Self { model, layers, non_negative }),
        }
    }

    /// The prepared network, in float32.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The layers, in the order of the graph.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The tensors that are held in 8 bits when all layers compute in them, in the order of the graph:
    /// those whose ranges have to be known.
    pub fn tensors(&self) -> Vec<String> {
        let all = vec![true; self.layers.len()];
        let mut seen = HashSet::new();
        let reads = self.readers(&all).into_iter().flat_map(|(_, slots)| slots);
        reads.filter(|name| seen.insert(name.clone())).collect()
    }

    /// Whether the tensor `name` can have negative values, as far as its operators tell.
    pub fn can_be_negative(&self, name: &str) -> bool {
        !self.non_negative.contains(name)
    }

    /// The nodes that read 8 bits, in the order of the graph, and the tensors that they read so, where
    /// the layers for which `quantized` holds compute in them.
    pub(super) fn readers(&self, quantized: &[bool]) -> Vec<(usize, Vec<String>)> {
        let Some(graph) = &self.model.proto().graph else { return Vec::new() };
        let constants = Constants::of(graph);
        let chosen: HashSet<usize> = (self.layers.iter().zip(quantized))
            .filter(|(_, quantized)| **quantized)
            .map(|(layer, _)| layer.node)
            .collect();
        // Backwards: whether something after a node reads its output in 8 bits.
        let mut wanted: HashSet<&str> = HashSet::new();
        let mut readers = Vec::new();
        for (at, node) in graph.node.iter().enumerate().rev() {
            let passes = || node.output.first().is_some_and(|made| wanted.contains(made.as_str()));
            let slots: &[String] = match node.op_type() {
                _ if !is_standard(node) => &[],
                _ if chosen.contains(&at) => &node.input[..1],
                "Resize" | "MaxPool" if passes() => &node.input[..1],
                "Add" | "Concat" if passes() => &node.input,
                _ => &[],
            };
            if slots.is_empty() || slots.iter().any(|name| constants.get(name).is_some()) {
                continue;
            }
            wanted.extend(slots.iter().map(String::as_str));
            readers.push((at, slots.to_vec()));
        }
        readers.reverse();
        readers
    }
}

/// Axis of the output channels in the weights of a convolution; `None` for other nodes, and where the
/// channels lie on two axes.
pub(super) fn channel_axis(node: &NodeProto) -> Option<usize> {
    let groups = attribute(node, "group").map_or(1, |group| group.i());
    match node.op_type() {
        _ if !is_standard(node) => None,
        "Conv" => Some(0),
        "ConvTranspose" if groups == 1 => Some(1),
        _ => None,
    }
}

/// Removes the constants of `graph` that nothing reads.
pub(super) fn prune(graph: &mut GraphProto) {
    let read = prune_initializers(graph);
    graph.node.retain(|node| {
        node.op_type() != "Constant" || node.output.iter().any(|made| read.contains(made))
    });
}

/// Removes those that are no nodes, so that nodes keep their places. Returns the names that are read.
pub(super) fn prune_initializers(graph: &mut GraphProto) -> HashSet<String> {
    let mut read: HashSet<String> = graph.output.iter().map(|out| out.name().to_owned()).collect();
    collect_reads(&graph.node, &mut read);
    let unread: HashSet<String> = (graph.initializer.iter())
        .filter(|tensor| !read.contains(tensor.name()))
        .map(|tensor| tensor.name().to_owned())
        .collect();
    graph.initializer.retain(|tensor| !unread.contains(tensor.name()));
    // Older models list constants among their inputs.
    graph.input.retain(|input| !unread.contains(input.name()));
    read
}

/// The names that graphs in the attributes of `node` read.
pub(super) fn subgraph_reads(node: &NodeProto) -> HashSet<String> {
    let mut read = HashSet::new();
    for graph in node.attribute.iter().flat_map(graphs) {
        read.extend(graph.output.iter().map(|output| output.name().to_owned()));
        collect_reads(&graph.node, &mut read);
    }
    read
}

fn collect_reads(nodes: &[NodeProto], read: &mut HashSet<String>) {
    for node in nodes {
        read.extend(node.input.iter().cloned());
        read.extend(subgraph_reads(node));
    }
}

/// Networks that carry a precision already.
fn refuse_others(model: &Model) -> Result<(), GraphError> {
    let graph = model.proto().graph.as_ref().ok_or(GraphError::NoGraph)?;
    let functions = model.proto().functions.iter().flat_map(|function| &function.node);
    for node in graph.node.iter().chain(functions) {
        if quantizes(node.op_type()) {
            return Err(GraphError::Quantized { node: describe(node) });
        }
        let to = attribute(node, "to").filter(|_| node.op_type() == "Cast").map(|to| to.i());
        if let Some(number) = to.and_then(|to| i32::try_from(to).ok()).filter(|to| is_narrow(*to)) {
            let found = format!("a cast to {}", ElementType::from_onnx(number));
            return Err(GraphError::NotFp32 { what: describe(node), found });
        }
    }
    if let Some(source) = metadata(model.proto(), QUANTIZED_FROM) {
        let node = format!("a network made from {source}");
        return Err(GraphError::Quantized { node });
    }
    match Constants::of(graph).any(|tensor| is_narrow(tensor.data_type())) {
        Some(tensor) => Err(GraphError::NotFp32 {
            what: format!("the constant \"{}\"", tensor.name()),
            found: ElementType::from_onnx(tensor.data_type()).to_string(),
        }),
        None => Ok(()),
    }
}

fn is_narrow(number: i32) -> bool {
    matches!(number, data_type::FLOAT16 | data_type::BFLOAT16)
}

fn layers(graph: &GraphProto) -> Result<Vec<Layer>, GraphError> {
    let constants = Constants::of(graph);
    let mut layers = Vec::new();
    for (at, node) in graph.node.iter().enumerate() {
        let Some(axis) = channel_axis(node) else { continue };
        let [data, weight, ..] = &node.input[..] else { continue };
        let (None, Some(tensor)) = (constants.get(data), constants.float32(weight)) else {
            continue;
        };
        finite(weight, tensor)?;
        if tensor.dims.len() < 3 {
            let (layer, dims) = (describe(node), tensor.dims.clone());
            return Err(GraphError::Weights { layer, dims, biases: 0 });
        }
        let made = node.output.first().map_or("", String::as_str);
        let name = if node.name().is_empty() { made } else { node.name() };
        let (products, made) = work(node, &tensor.dims, axis);
        let (name, input) = (name.to_owned(), data.clone());
        layers.push(Layer { name, node: at, axis, input, products, made });
    }
    Ok(layers)
}

/// How often each value that a convolution reads is multiplied, and how many it makes of it.
fn work(node: &NodeProto, weights: &[i64], axis: usize) -> (f64, f64) {
    let number = |size: i64| size.max(1) as f64;
    let groups = attribute(node, "group").map_or(1, |group| group.i());
    let strides = attribute(node, "strides").map_or(&[][..], |strides| &strides.ints);
    let stride: f64 = strides.iter().map(|&stride| number(stride)).product();
    let window: f64 = weights[2..].iter().map(|&size| number(size)).product();
    match axis {
        // Each value is seen by one window in a stride.
        0 => {
            let channels = number(weights[0]) / number(groups);
            (channels * window / stride, channels / number(weights[1]) / stride)
        }
        _ => (number(weights[1]) * window, number(weights[1]) / number(weights[0]) * stride),
    }
}

/// The tensors that cannot be negative whatever the weights are. Pixels are among them.
fn non_negative(graph: &GraphProto) -> HashSet<String> {
    let mut found: HashSet<String> = HashSet::from([ModelSpec::IMAGE.to_owned()]);
    for node in graph.node.iter().filter(|node| is_standard(node)) {
        let first = || node.input.first().is_some_and(|name| found.contains(name));
        let holds = match node.op_type() {
            "Relu" | "Sigmoid" | "Softmax" | "Softplus" => true,
            "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" | "Identity" | "MaxPool" => {
                first()
            }
            // Cubic interpolation overshoots.
            "Resize" => first() && attribute(node, "mode").is_none_or(|mode| mode.s() != b"cubic"),
            "Add" | "Concat" | "Mul" => node.input.iter().all(|name| found.contains(name)),
            _ => false,
        };
        if holds {
            found.extend(node.output.iter().cloned());
        }
    }
    found
}
