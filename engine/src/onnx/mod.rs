//! The ONNX file format: reading and writing models, and what a model says about its tensors.
//!
//! [`Model`] answers the questions that the engine asks; [`proto`] is the format itself, for code
//! that builds or rewrites graphs.

pub mod batch;
mod error;
mod model;
mod names;
pub mod precision;
pub mod proto;
pub mod quantize;
mod tensor;

pub use error::OnnxError;
pub use model::Model;
pub use tensor::{Dim, ElementType, TensorInfo};
