//! Which types the standard operators take and give.

use super::PrecisionError;
use crate::onnx::names::attribute;
use crate::onnx::proto::{NodeProto, data_type};

/// What is known about an operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    /// Types of its outputs.
    pub(super) results: Results,
    /// Inputs that it only takes as 32-bit floats, where they are floats.
    pub(super) full_inputs: &'static [usize],
    /// Whether it computes in 32-bit floats only.
    pub(super) full: bool,
}

/// Types of an operator's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Results {
    /// All like this input.
    Like(usize),
    /// The first like this input, the others of this type.
    LikeThen(usize, i32),
    /// All of this type.
    Are(i32),
    /// The first like the first input; the others are statistics, 32-bit unless `stash_type` says
    /// otherwise.
    Stashed,
    /// What this attribute says; else this type, or like the first input.
    Attribute(&'static str, Option<i32>),
    /// The constant in an attribute.
    Constant,
    /// Filled with the constant in an attribute.
    Filled,
    /// The outputs of its subgraphs.
    Branches,
    /// The outputs of its subgraph, from the second on.
    Loop,
    /// The outputs of its subgraph.
    Scan,
}

/// Operators that say in which integers the model computes.
pub(in crate::onnx) fn quantizes(op: &str) -> bool {
    matches!(
        op,
        "QuantizeLinear"
            | "DequantizeLinear"
            | "DynamicQuantizeLinear"
            | "QLinearConv"
            | "QLinearMatMul"
            | "ConvInteger"
            | "MatMulInteger"
    )
}

/// What is known about the standard operator `op`; `None` where that is nothing.
pub(super) fn operator(op: &str) -> Option<Operator> {
    use Results::{Are, Attribute, Like, LikeThen};
    let results = match op {
        // Element by element.
        "Abs" | "Acos" | "Acosh" | "Add" | "Asin" | "Asinh" | "Atan" | "Atanh" | "Ceil"
        | "Clip" | "Cos" | "Cosh" | "Div" | "Elu" | "Erf" | "Exp" | "Floor" | "Gelu"
        | "HardSigmoid" | "HardSwish" | "Identity" | "LeakyRelu" | "Log" | "Max" | "Mean"
        | "Min" | "Mish" | "Mod" | "Mul" | "Neg" | "PRelu" | "Pow" | "Reciprocal" | "Relu"
        | "Round" | "Selu" | "Shrink" | "Sigmoid" | "Sign" | "Sin" | "Sinh" | "Softplus"
        | "Softsign" | "Sqrt" | "Sub" | "Sum" | "Swish" | "Tan" | "Tanh" | "ThresholdedRelu" => {
            Like(0)
        }
        "BitShift" | "BitwiseAnd" | "BitwiseNot" | "BitwiseOr" | "BitwiseXor" => Like(0),
        "Celu" | "Range" => Like(0),
        // Convolutions, matrices, norms, pools, recurrent layers.
        "AveragePool"
        | "BatchNormalization"
        | "Conv"
        | "ConvTranspose"
        | "DeformConv"
        | "Einsum"
        | "GRU"
        | "Gemm"
        | "GlobalAveragePool"
        | "GlobalLpPool"
        | "GlobalMaxPool"
        | "GroupNormalization"
        | "InstanceNormalization"
        | "LRN"
        | "LSTM"
        | "LpNormalization"
        | "LpPool"
        | "MatMul"
        | "MeanVarianceNormalization"
        | "RMSNormalization"
        | "RNN" => Like(0),
        "MaxPool" => LikeThen(0, data_type::INT64),
        "LayerNormalization" => Results::Stashed,
        "Dropout" => LikeThen(0, data_type::BOOL),
        // Along axes.
        "TopK" | "Unique" => LikeThen(0, data_type::INT64),
        "CumSum" | "Hardmax" | "LogSoftmax" | "ReduceL1" | "ReduceL2" | "ReduceLogSum"
        | "ReduceLogSumExp" | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd"
        | "ReduceSum" | "ReduceSumSquare" | "Softmax" => Like(0),
        "ArgMax" | "ArgMin" | "NonZero" | "Shape" | "Size" | "NonMaxSuppression" => {
            Are(data_type::INT64)
        }
        // Moving values about.
        "Compress" | "Concat" | "DepthToSpace" | "Expand" | "Flatten" | "Gather"
        | "GatherElements" | "GatherND" | "GridSample" | "Pad" | "Reshape" | "Resize"
        | "ReverseSequence" | "RoiAlign" | "Scatter" | "ScatterElements" | "ScatterND"
        | "Slice" | "SpaceToDepth" | "Split" | "Squeeze" | "Tile" | "Transpose" | "Trilu"
        | "Unsqueeze" | "Upsample" => Like(0),
        "CastLike" | "Where" => Like(1),
        "OneHot" => Like(2),
        // Truth.
        "And" | "Equal" | "Greater" | "GreaterOrEqual" | "IsInf" | "IsNaN" | "Less"
        | "LessOrEqual" | "Not" | "Or" | "Xor" => Are(data_type::BOOL),
        // Types by name.
        "Cast" => Attribute("to", Some(0)),
        "EyeLike" | "RandomNormalLike" | "RandomUniformLike" => Attribute("dtype", None),
        "RandomNormal" | "RandomUniform" => Attribute("dtype", Some(data_type::FLOAT)),
        "Constant" => Results::Constant,
        "ConstantOfShape" => Results::Filled,
        "If" => Results::Branches,
        "Loop" => Results::Loop,
        "Scan" => Results::Scan,
        _ => return None,
    };
    // A region and scales; the sizes that may follow are integers.
    let full_inputs: &[usize] = match op {
        "Resize" => &[1, 2],
        "Upsample" => &[1],
        _ => &[],
    };
    let full = matches!(op, "Celu" | "NonMaxSuppression" | "Range");
    Some(Operator { results, full_inputs, full })
}

/// The type that an attribute names; `None` where it is absent, an error where the caller of a
/// function decides.
fn named_type(node: &NodeProto, name: &str) -> Result<Option<i32>, &'static str> {
    match attribute(node, name) {
        Some(attribute) if !attribute.ref_attr_name().is_empty() => {
            Err("is given by the caller of a function; expected a type")
        }
        Some(attribute) => match i32::try_from(attribute.i()) {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err("is no type; expected a number of TensorProto.DataType"),
        },
        None => Ok(None),
    }
}

/// Original types of the outputs of a node without subgraphs.
pub(super) fn results(
    node: &NodeProto,
    what: &str,
    operator: Operator,
    inputs: &[i32],
) -> Result<Vec<i32>, PrecisionError> {
    let input = |slot: usize| inputs.get(slot).copied().unwrap_or_default();
    let named = |name| named_type(node, name).map_err(|problem| refuse(what, name, problem));
    let (first, rest) = match operator.results {
        Results::Like(slot) => (input(slot), input(slot)),
        Results::LikeThen(slot, rest) => (input(slot), rest),
        Results::Are(element) => (element, element),
        Results::Stashed => (input(0), named("stash_type")?.unwrap_or(data_type::FLOAT)),
        Results::Attribute(name, default) => {
            let element = named(name)?.unwrap_or(default.unwrap_or_else(|| input(0)));
            (element, element)
        }
        Results::Filled => {
            let value = attribute(node, "value").map(|value| value.t.as_ref());
            let element = match value {
                Some(Some(tensor)) => tensor.data_type(),
                Some(None) => return Err(refuse(what, "value", "holds no tensor")),
                None => data_type::FLOAT,
            };
            (element, element)
        }
        Results::Constant | Results::Branches | Results::Loop | Results::Scan => (0, 0),
    };
    let results: Vec<i32> =
        (0..node.output.len()).map(|slot| if slot == 0 { first } else { rest }).collect();
    let mut typed = node.output.iter().zip(&results);
    match typed.find(|(name, element)| !name.is_empty() && **element == 0) {
        Some((output, _)) => Err(PrecisionError::Untyped { value: output.clone() }),
        None => Ok(results),
    }
}

/// [`PrecisionError::Attribute`].
pub(super) fn refuse(node: &str, attribute: &str, problem: &'static str) -> PrecisionError {
    PrecisionError::Attribute { node: node.to_owned(), attribute: attribute.to_owned(), problem }
}
