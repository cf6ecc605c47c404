//! A network moved to 8 bits, as its graph says it: `QuantizeLinear` and `DequantizeLinear` nodes
//! around what is to compute in integers.
//!
//! Weights are int8, symmetric, with a scale for each output channel. Activations are uint8 with one
//! scale: zero point 0 where a tensor cannot be negative, so that a ReLU does not cost half of the
//! range, and 128 elsewhere. Runtimes on CPUs multiply uint8 with int8, and ONNX Runtime fuses a ReLU
//! only where 0 is the lowest number: in int8 around 0 it runs the network slower than in floats, and
//! OpenVINO 2026.4 computes something else where such a tensor is concatenated. TensorRT knows int8
//! around 0 alone, for which [`to_symmetric`] rewrites a network. Biases stay floats, and what is not
//! convolution but lies between two of them (`Add`, `Concat`, `Resize`, `MaxPool`) reads 8 bits, too,
//! so that integers go from layer to layer.
//!
//! This module knows the graph; where scales come from and which layers stay floats is decided by
//! [`crate::quantize`].

mod batch_norm;
mod equalize;
mod error;
mod floats;
mod graph;
mod opset;
mod range;
mod rewrite;
mod symmetric;
#[cfg(test)]
mod tests;
mod weights;

pub use error::GraphError;
pub use graph::{Layer, Quantizable};
pub use range::{Activation, Histogram};
pub use symmetric::to_symmetric;

use super::proto::ModelProto;

/// Key in a model's `metadata_props`: the SHA-256, in lower-case hexadecimal, of the file that it was
/// quantized from.
pub const QUANTIZED_FROM: &str = "engine.quantized_from";

/// The value of `key` in the model's `metadata_props`.
pub fn metadata<'a>(model: &'a ModelProto, key: &str) -> Option<&'a str> {
    model.metadata_props.iter().find(|entry| entry.key() == key).map(|entry| entry.value())
}
