//! The precision that a network computes in, as its graph says it.
//!
//! A strongly typed builder computes every operator in the type of its inputs, so a network is
//! moved to half precision by rewriting its graph: [`to_half`].

mod convert;
mod error;
mod functions;
mod operators;
mod round;
mod scope;
mod types;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use convert::to_half;
pub use error::PrecisionError;
pub(super) use operators::quantizes;
pub(super) use round::check as check_floats;

/// What a network computes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats, as exported.
    #[default]
    Fp32,
    /// 16-bit floats.
    Fp16,
}

/// Type of the network's own inputs or outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeType {
    /// 32-bit floats: the graph converts what comes in and goes out.
    #[default]
    Fp32,
    /// 16-bit floats: whoever feeds the network converts.
    Fp16,
}

/// Types at the edges of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Edges {
    /// Of all float inputs.
    pub inputs: EdgeType,
    /// Of all float outputs.
    pub outputs: EdgeType,
}

/// A name that is no precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision \"{found}\"; expected fp32 or fp16")]
pub struct UnknownPrecision {
    /// The name.
    pub found: String,
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        match name {
            "fp32" => Ok(Self::Fp32),
            "fp16" => Ok(Self::Fp16),
            _ => Err(UnknownPrecision { found: name.to_owned() }),
        }
    }
}

impl FromStr for EdgeType {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        Precision::from_str(name).map(|precision| match precision {
            Precision::Fp32 => Self::Fp32,
            Precision::Fp16 => Self::Fp16,
        })
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
        })
    }
}

impl fmt::Display for EdgeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
        })
    }
}

/// What [`to_half`] did to a model's float constants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HalfReport {
    /// Constants that are 16-bit now.
    pub tensors: usize,
    /// Bytes of all 32-bit float constants before.
    pub bytes_before: u64,
    /// Bytes of the same constants now, those included that stay 32-bit.
    pub bytes_after: u64,
    /// Largest |rounded - value| / |value| over all values that did not become zero. Up to 2^-11
    /// for values of at least 2^-14, more for smaller ones.
    pub largest_relative_error: f64,
    /// Name of the constant with that error; `None` where every value is exact.
    pub worst_tensor: Option<String>,
    /// Values other than zero that became zero, because they are below 2^-25.
    pub flushed_to_zero: u64,
    /// Nodes inserted that convert between the types.
    pub casts: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_written_as_they_are_read() {
        for name in ["fp32", "fp16"] {
            assert_eq!(name.parse::<Precision>().unwrap().to_string(), name);
            assert_eq!(name.parse::<EdgeType>().unwrap().to_string(), name);
        }
        let error = "half".parse::<Precision>().unwrap_err().to_string();
        assert_eq!(error, "unknown precision \"half\"; expected fp32 or fp16");
    }
}
