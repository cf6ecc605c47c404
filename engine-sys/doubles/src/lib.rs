//! Stand-ins for NVIDIA's libraries, for tests: a CUDA driver over host memory, and what steers it.
//!
//! The libraries are built with this crate and loaded by tests, in the same process
//! ([`cuda`]) or in a child process by its `LD_LIBRARY_PATH` ([`cuda_dir`]). They are never
//! shipped.
#![expect(unsafe_code, reason = "shared objects are loaded and called")]

mod control;
mod cuda;
mod kernels;
mod onnxruntime;
mod tensorrt;

pub use control::{Control, Exclusive, control};
pub use cuda::{Cuda, Floats, cuda, cuda_dir};
pub use kernels::{Parameter, run_kernel};
pub use onnxruntime::{onnxruntime, onnxruntime_library};
pub use tensorrt::{altered, plan, tensorrt_dir, tensorrt_headers, tensorrt_library};
