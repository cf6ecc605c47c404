//! What a model says about an input or an output.

use std::fmt;

use super::proto::type_proto::{Tensor, Value};
use super::proto::{Dimension, DimensionValue, TensorProto, ValueInfoProto};

impl TensorProto {
    /// Whether the elements are in another file.
    pub fn is_external(&self) -> bool {
        /// Value of `data_location` for such data.
        const EXTERNAL: i32 = 1;
        self.data_location() == EXTERNAL || !self.external_data.is_empty()
    }

    /// Whether one of its elements is a 32-bit float, and no number.
    pub fn holds_nan(&self) -> bool {
        let raw = self.raw_data.as_deref().unwrap_or_default();
        let in_raw = || raw.as_chunks().0.iter().any(|&bytes| f32::from_le_bytes(bytes).is_nan());
        ElementType::from_onnx(self.data_type()) == ElementType::Float32
            && (in_raw() || self.float_data.iter().any(|value| value.is_nan()))
    }
}

/// Type of a tensor's elements. Displayed as NumPy and ONNX Runtime name it: `float32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ElementType {
    Float32,
    Uint8,
    Int8,
    Uint16,
    Int16,
    Int32,
    Int64,
    String,
    Bool,
    Float16,
    Float64,
    Uint32,
    Uint64,
    Complex64,
    Complex128,
    BFloat16,
    /// Any other number of `TensorProto.DataType`; 0 where the model does not say.
    Other(i32),
}

impl ElementType {
    /// The type behind a number of `TensorProto.DataType`.
    pub const fn from_onnx(number: i32) -> Self {
        match number {
            1 => Self::Float32,
            2 => Self::Uint8,
            3 => Self::Int8,
            4 => Self::Uint16,
            5 => Self::Int16,
            6 => Self::Int32,
            7 => Self::Int64,
            8 => Self::String,
            9 => Self::Bool,
            10 => Self::Float16,
            11 => Self::Float64,
            12 => Self::Uint32,
            13 => Self::Uint64,
            14 => Self::Complex64,
            15 => Self::Complex128,
            16 => Self::BFloat16,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Float32 => "float32",
            Self::Uint8 => "uint8",
            Self::Int8 => "int8",
            Self::Uint16 => "uint16",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Float16 => "float16",
            Self::Float64 => "float64",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
            Self::BFloat16 => "bfloat16",
            Self::Other(0) => "unknown type",
            Self::Other(number) => return write!(f, "ONNX type {number}"),
        };
        f.write_str(name)
    }
}

/// One dimension of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A size that cannot change.
    Fixed(i64),
    /// A named size that is known when the model runs; equal names mean equal sizes.
    Symbol(String),
    /// A size that is known when the model runs.
    Unknown,
}

impl From<&Dimension> for Dim {
    fn from(dimension: &Dimension) -> Self {
        match &dimension.value {
            Some(DimensionValue::DimValue(size)) => Self::Fixed(*size),
            Some(DimensionValue::DimParam(name)) if !name.is_empty() => Self::Symbol(name.clone()),
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Symbol(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

/// Name, type and shape of an input or output. Displayed as `input float32 [N,6,320,320]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorInfo {
    /// Name of the tensor.
    pub name: String,
    /// Type of its elements.
    pub element_type: ElementType,
    /// Its dimensions, outermost first; empty for a scalar and where the model does not say.
    pub dims: Vec<Dim>,
}

impl From<&ValueInfoProto> for TensorInfo {
    fn from(info: &ValueInfoProto) -> Self {
        let tensor = match info.r#type.as_ref().and_then(|r#type| r#type.value.as_ref()) {
            Some(Value::TensorType(tensor)) => tensor,
            _ => &Tensor::default(),
        };
        Self {
            name: info.name().to_owned(),
            element_type: ElementType::from_onnx(tensor.elem_type()),
            dims: tensor
                .shape
                .as_ref()
                .map(|shape| shape.dim.iter().map(Dim::from).collect())
                .unwrap_or_default(),
        }
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} [", self.name, self.element_type)?;
        for (i, dim) in self.dims.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{dim}")?;
        }
        f.write_str("]")
    }
}
