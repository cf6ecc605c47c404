//! Compiles the shim once per flavour of TensorRT whose headers are found.

#[cfg(feature = "tensorrt")]
mod headers;
#[cfg(feature = "tensorrt")]
mod shim;

#[cfg(feature = "tensorrt")]
use std::ffi::OsString;

fn main() {
    println!("cargo::rerun-if-changed=build");
    #[cfg(feature = "tensorrt")]
    shim::compile();
}

/// An environment variable that the build depends on.
#[cfg(feature = "tensorrt")]
fn env(name: &str) -> Option<OsString> {
    println!("cargo::rerun-if-env-changed={name}");
    std::env::var_os(name).filter(|value| !value.is_empty())
}
