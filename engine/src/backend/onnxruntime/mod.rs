//! ONNX Runtime, loaded at run time, on the CPU or on an NVIDIA GPU.

mod environment;
mod outputs;
mod provider;
mod runtime;

pub use provider::Provider;
pub use runtime::{OnnxRuntime, OnnxRuntimeOptions};
