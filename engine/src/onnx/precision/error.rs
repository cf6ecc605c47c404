//! Why a network cannot be moved to half precision.

/// Why [`to_half`](super::to_half) refused a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrecisionError {
    /// There is nothing to convert.
    #[error("the model has no graph")]
    NoGraph,
    /// Quantization fixes the types of what it touches.
    #[error(
        "{node} quantizes: the model already carries its precision and cannot be moved to fp16; use \
         it as it is (--precision fp32)"
    )]
    Quantized {
        /// Operator and name.
        node: String,
    },
    /// Nobody knows which types the operator takes.
    #[error(
        "{node} is an operator of the domain \"{domain}\" that is not known here; expected \
         operators of the ONNX standard or functions that the model defines; use --precision fp32"
    )]
    Domain {
        /// Operator and name.
        node: String,
        /// Its operator set.
        domain: String,
    },
    /// A standard operator whose types are not known here.
    #[error("{node}: how this operator takes fp16 is not known here; use --precision fp32")]
    Operator {
        /// Operator and name.
        node: String,
    },
    /// A node reads what nothing before it makes: a missing tensor, a cycle, nodes out of order.
    #[error(
        "{node} reads \"{value}\", which no input, constant or earlier node makes; expected nodes \
         after those whose outputs they read"
    )]
    Undefined {
        /// Operator and name, or the graph.
        node: String,
        /// Name of the value.
        value: String,
    },
    /// A name stands for two values.
    #[error("\"{value}\" is made twice; expected a name of its own for every value")]
    Twice {
        /// Name of the value.
        value: String,
    },
    /// Without a type, casts cannot be placed.
    #[error("the type of \"{value}\" is not declared; expected a tensor with an element type")]
    Untyped {
        /// Name of the value.
        value: String,
    },
    /// The graph hands an input or a constant through, and it would need two types under one name.
    #[error("the output \"{output}\" is an input or a constant; expected one that a node makes")]
    PassedThrough {
        /// Name of the output.
        output: String,
    },
    /// An attribute is missing, or given by the caller of a function.
    #[error("{node}: attribute \"{attribute}\" {problem}")]
    Attribute {
        /// Operator and name.
        node: String,
        /// The attribute.
        attribute: String,
        /// What is wrong, and what was expected.
        problem: &'static str,
    },
    /// A function of the model cannot have one type.
    #[error("{node}: the model's function {problem}")]
    Function {
        /// The call.
        node: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The values are in another file, which is not read.
    #[error(
        "the tensor \"{tensor}\" is stored outside the model file; expected weights inside it: save \
         the model again without external data"
    )]
    External {
        /// The tensor.
        tensor: String,
    },
    /// Sparse constants are not converted.
    #[error("the tensor \"{tensor}\" is sparse; expected dense floats")]
    Sparse {
        /// The tensor.
        tensor: String,
    },
    /// Shape and data of a constant disagree.
    #[error("the tensor \"{tensor}\" {problem}")]
    Malformed {
        /// The tensor.
        tensor: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A finite value would become infinite.
    #[error(
        "the tensor \"{tensor}\" holds {value} at element {element}, but fp16 ends at 65504; use \
         --precision fp32"
    )]
    Overflow {
        /// The tensor.
        tensor: String,
        /// Index of the first such value, row-major.
        element: usize,
        /// The value.
        value: f32,
    },
}
