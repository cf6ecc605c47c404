//! Batch normalisation folded into the convolution before it.
//!
//! `gamma (conv(x) + b - mean) / sqrt(var + eps) + beta` is a convolution again: each output channel's
//! weights times `g = gamma / sqrt(var + eps)`, with the bias `(b - mean) g + beta`. Left as a node of
//! its own it would stand between the convolution and what follows, in floats.

use std::collections::{HashMap, HashSet};

use super::GraphError;
use super::floats::{Constants, finite, float_tensor};
use super::graph::{channel_axis, prune};
use crate::onnx::names::{Names, attribute};
use crate::onnx::proto::{ModelProto, NodeProto, TensorProto};

/// What `epsilon` is where a node does not say.
const EPSILON: f32 = 1e-5;

/// Folds every `BatchNormalization` that alone reads a convolution with constant weights. Returns how
/// many.
///
/// # Errors
/// Where constants cannot be read.
pub(super) fn fold(model: &mut ModelProto) -> Result<usize, GraphError> {
    let mut names = Names::of(model);
    let graph = model.graph.as_mut().ok_or(GraphError::NoGraph)?;
    let constants = Constants::of(graph);
    let mut readers: HashMap<&str, usize> = HashMap::new();
    let inner = graph.node.iter().flat_map(|node| &node.input);
    let outer = graph.output.iter().map(|output| output.name());
    for name in inner.map(String::as_str).chain(outer) {
        *readers.entry(name).or_default() += 1;
    }
    let makers: HashMap<&str, usize> = (graph.node.iter().enumerate())
        .flat_map(|(at, node)| node.output.iter().map(move |output| (output.as_str(), at)))
        .collect();

    let mut folded: Vec<(usize, usize, [TensorProto; 2])> = Vec::new();
    for (at, norm) in graph.node.iter().enumerate() {
        let Some(&conv) = norm.input.first().and_then(|input| makers.get(input.as_str())) else {
            continue;
        };
        if readers.get(norm.input[0].as_str()) != Some(&1) {
            continue;
        }
        let wanted = |name: &str| names.free(format!("{name}_folded"));
        if let Some(tensors) = fold_one(&graph.node[conv], norm, &constants, wanted)? {
            folded.push((conv, at, tensors));
        }
    }
    let removed: HashSet<usize> = folded.iter().map(|(_, norm, _)| *norm).collect();
    let count = folded.len();
    for (conv, norm, [weight, bias]) in folded {
        let output = std::mem::take(&mut graph.node[norm].output[0]);
        let conv = &mut graph.node[conv];
        conv.input.truncate(1);
        conv.input.extend([weight.name().to_owned(), bias.name().to_owned()]);
        conv.output[0] = output;
        graph.initializer.extend([weight, bias]);
    }
    let mut at = 0;
    graph.node.retain(|_| {
        at += 1;
        !removed.contains(&(at - 1))
    });
    prune(graph);
    Ok(count)
}

/// Weights and biases of `conv` with `norm` in them; `None` where the two do not fold.
fn fold_one(
    conv: &NodeProto,
    norm: &NodeProto,
    constants: &Constants<'_>,
    mut free: impl FnMut(&str) -> String,
) -> Result<Option<[TensorProto; 2]>, GraphError> {
    let trained = attribute(norm, "training_mode").is_none_or(|mode| mode.i() == 0);
    let plain = norm.op_type() == "BatchNormalization" && trained && norm.output.len() == 1;
    let (Some(axis), true) = (channel_axis(conv), plain) else { return Ok(None) };
    let constant = |name: Option<&String>| name.and_then(|name| constants.float32(name));
    let Some(weight) = constant(conv.input.get(1)) else { return Ok(None) };
    let channels = weight.dims.get(axis).map_or(0, |&channels| channels.max(0) as usize);
    let mut parameters = Vec::with_capacity(4);
    for name in norm.input.iter().skip(1) {
        let Some(tensor) = constants.float32(name) else { return Ok(None) };
        parameters.push(finite(name, tensor)?);
    }
    let [gamma, beta, mean, variance] = &parameters[..] else { return Ok(None) };
    let bias = match conv.input.get(2).filter(|name| !name.is_empty()) {
        None => vec![0.0; channels],
        Some(name) => match constants.float32(name) {
            Some(tensor) => finite(name, tensor)?,
            None => return Ok(None),
        },
    };
    if parameters.iter().chain([&bias]).any(|values| values.len() != channels) {
        return Ok(None);
    }
    let epsilon = f64::from(attribute(norm, "epsilon").map_or(EPSILON, |epsilon| epsilon.f()));
    let gain = |c: usize| f64::from(gamma[c]) / (f64::from(variance[c]) + epsilon).sqrt();
    let inner: usize = weight.dims[axis + 1..].iter().map(|&dim| dim.max(0) as usize).product();
    let mut weights = finite(weight.name(), weight)?;
    for (at, value) in weights.iter_mut().enumerate() {
        *value = (f64::from(*value) * gain(at / inner.max(1) % channels.max(1))) as f32;
    }
    let biases: Vec<f32> = (0..channels)
        .map(|c| {
            let shifted = (f64::from(bias[c]) - f64::from(mean[c])) * gain(c);
            (shifted + f64::from(beta[c])) as f32
        })
        .collect();
    let base = conv.output.first().map_or("conv", String::as_str);
    Ok(Some([
        float_tensor(&free(&format!("{base}_weight")), &weight.dims, &weights),
        float_tensor(&free(&format!("{base}_bias")), &[channels as i64], &biases),
    ]))
}
