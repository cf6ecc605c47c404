//! TensorRT through a small C++ shim, and OpenVINO through its C interface.
//!
//! The only crate that sees C++. TensorRT comes in lines that do not fit each other ([`Flavour`]);
//! the shim is compiled once per flavour whose headers are there, and the libraries are loaded at
//! run time: nothing of TensorRT or CUDA is linked. A library's version is checked before anything
//! else in it is called.
//!
//! Without the feature `tensorrt`, or without headers, the crate still names the flavours and finds
//! their libraries, and [`Flavour::headers`] says that no shim is there.

#![expect(unsafe_code, reason = "C and C++ are called from here, and the environment changed")]

#[cfg(feature = "tensorrt")]
mod engine;
#[cfg(feature = "tensorrt")]
mod error;
#[cfg(feature = "tensorrt")]
#[expect(unreachable_pub, reason = "the bridge writes pub")]
mod ffi;
mod flavour;
#[cfg(feature = "tensorrt")]
mod library;
mod loader;
mod log;
#[cfg(feature = "openvino")]
pub mod openvino;
mod progress;
pub mod search;
#[cfg(feature = "tensorrt")]
mod sinks;
mod telemetry;
mod whole_library;

#[cfg(feature = "tensorrt")]
pub use engine::{Element, Engine, ExecutionContext, TensorInfo};
#[cfg(feature = "tensorrt")]
pub use error::Error;
pub use flavour::{BadVersion, Flavour, HOW_TO_BUILD_IN, UnknownFlavour, Version};
#[cfg(feature = "tensorrt")]
pub use library::{BuildOptions, Built, InputProfile, Library};
pub use loader::Loader;
pub use log::{Log, Severity};
pub use progress::{NoProgress, Progress};
pub use telemetry::switch_telemetry_off;
pub use whole_library::check_whole;
