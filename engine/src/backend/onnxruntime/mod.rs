//! ONNX Runtime, loaded at run time, on the CPU or on an NVIDIA GPU.

#[cfg(feature = "cuda")]
mod cuda;
mod environment;
mod outputs;
#[cfg(feature = "cuda")]
mod provider;
mod runtime;
mod session;

#[cfg(feature = "cuda")]
pub use cuda::{OnnxRuntimeCuda, OnnxRuntimeCudaOptions};
pub use runtime::{OnnxRuntime, OnnxRuntimeOptions};
pub(crate) use session::{open_session, session_of, tensor_infos};
