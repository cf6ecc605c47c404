//! The TensorRT backend from the library's file to the sink, over stand-ins for NVIDIA's libraries
//! that compute the exact network in host memory, for each flavour whose headers are there.
//!
//! The stand-ins share one control, so the tests take turns.
#![cfg(feature = "tensorrt")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod compositing;
mod faults;
mod frames;
mod lifetimes;
mod rig;
#[path = "../support/mod.rs"]
mod support;
