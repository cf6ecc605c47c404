//! A quantized network as TensorRT takes it: int8 around 0.

use std::collections::{HashMap, HashSet};

use super::floats::{Constants, float_tensor, tensor, values};
use crate::onnx::Model;
use crate::onnx::names::Names;
use crate::onnx::proto::{TensorProto, data_type};

/// Steps of an unsigned tensor that cannot be negative, for each step of a signed one.
const STEPS: f32 = 255.0 / 127.0;

/// Rewrites tensors that are quantized to uint8 to int8 with zero point 0. Where the zero point was
/// 128, the values stay exactly what they were; where it was 0, the same range has 127 steps instead
/// of 255. Tensors with other zero points, or with scales that are no constants, stay as they are, and
/// TensorRT will say what it makes of them. Returns how many tensors were changed.
pub fn to_symmetric(model: &mut Model) -> usize {
    let mut names = Names::of(model.proto());
    let Some(graph) = model.proto_mut().graph.as_mut() else { return 0 };
    let constants = Constants::of(graph);
    // By the pair of their constants, which both nodes of a tensor share.
    let mut replaced: HashMap<[String; 2], Option<[TensorProto; 2]>> = HashMap::new();
    let mut tensors = HashSet::new();
    let mut edits = Vec::new();
    for (at, node) in graph.node.iter().enumerate() {
        let (quantizes, [data, scale, zero_point]) = match (node.op_type(), &node.input[..]) {
            ("QuantizeLinear", [data, scale, zero_point]) => (true, [data, scale, zero_point]),
            ("DequantizeLinear", [data, scale, zero_point]) => (false, [data, scale, zero_point]),
            _ => continue,
        };
        let pair = replaced.entry([scale.clone(), zero_point.clone()]).or_insert_with(|| {
            let (scale, zero_point) = (constants.float32(scale)?, constants.get(zero_point)?);
            let scale = signed(&values(scale).ok()?, zero_point)?;
            let [of_scale, of_zero] =
                ["scale", "zero_point"].map(|part| names.free(format!("{data}_int8_{part}")));
            Some([
                float_tensor(&of_scale, &[], &[scale]),
                tensor(&of_zero, data_type::INT8, &[], vec![0]),
            ])
        });
        if let Some(pair) = pair {
            edits.push((at, pair.each_ref().map(|tensor| tensor.name().to_owned())));
            if quantizes {
                tensors.insert(data.clone());
            }
        }
    }
    if edits.is_empty() {
        return 0;
    }
    for (at, [scale, zero_point]) in edits {
        graph.node[at].input[1] = scale;
        graph.node[at].input[2] = zero_point;
    }
    let mut added: Vec<_> = replaced.into_values().flatten().flatten().collect();
    added.sort_by(|a, b| a.name().cmp(b.name()));
    graph.initializer.extend(added);
    super::graph::prune(graph);
    tensors.len()
}

/// The scale of a signed tensor with the range of an unsigned one.
fn signed(scales: &[f32], zero_point: &TensorProto) -> Option<f32> {
    let &[scale] = scales else { return None };
    if zero_point.data_type() != data_type::UINT8 {
        return None;
    }
    let raw = zero_point.raw_data.as_deref().unwrap_or_default();
    let value = raw.first().map(|&byte| i32::from(byte)).or(zero_point.int32_data.first().copied());
    match value {
        Some(128) => Some(scale),
        Some(0) | None => Some(scale * STEPS),
        Some(_) => None,
    }
}
