//! Why a graph cannot be quantized.

use crate::onnx::precision::PrecisionError;

/// Why a network's graph cannot be moved to 8 bits.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// There is nothing to quantize.
    #[error("the model has no graph")]
    NoGraph,
    /// It was done before.
    #[error("{node} quantizes: the network is quantized already; start from the fp32 network")]
    Quantized {
        /// Operator and name.
        node: String,
    },
    /// Floats of another width.
    #[error(
        "{what} is {found}; expected a network in float32 throughout: start from the fp32 network"
    )]
    NotFp32 {
        /// A tensor, or a node.
        what: String,
        /// Its type.
        found: String,
    },
    /// Per-channel scales came with version 13 of the operators.
    #[error(
        "the model uses version {found} of the ONNX operators, and {reason}; expected version 13 or \
         newer: export it again with opset_version=13"
    )]
    Opset {
        /// Its version.
        found: i64,
        /// Why it is not simply raised.
        reason: String,
    },
    /// No convolution has constant weights.
    #[error("the network has no convolution with constant float32 weights; expected at least one")]
    NoLayers,
    /// A constant that cannot be read.
    #[error(transparent)]
    Constant(#[from] PrecisionError),
    /// Weights or activations that are no numbers.
    #[error("\"{tensor}\" holds {value}; expected finite numbers")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// Weights of a shape that a convolution cannot have.
    #[error("{layer}: weights {dims:?} with {biases} biases; expected one bias an output channel")]
    Weights {
        /// Operator and name.
        layer: String,
        /// Shape of the weights.
        dims: Vec<i64>,
        /// Number of biases.
        biases: usize,
    },
}
