//! Raw bindings to TensorRT through a small C++ shim.
//!
//! This crate is the only one that sees C++. It holds no shim yet: [`TENSORRT_BUILT`] says so, and
//! the tools that report on this machine print it.

mod flavour;
mod loader;
pub mod search;

pub use flavour::{BadVersion, Flavour, UnknownFlavour, Version};
pub use loader::Loader;

/// Whether this build carries the TensorRT shim.
pub const TENSORRT_BUILT: bool = false;
