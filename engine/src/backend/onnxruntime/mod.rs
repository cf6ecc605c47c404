//! ONNX Runtime, loaded at run time, on the CPU or on an NVIDIA GPU.

mod environment;
mod outputs;
mod provider;
mod runtime;
mod session;

pub use provider::Provider;
pub use runtime::{OnnxRuntime, OnnxRuntimeOptions};
pub(crate) use session::{open_session, session_of, tensor_infos};
