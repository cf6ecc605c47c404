//! The engine as a library for programs in C and C++.
//!
//! `include/engine/engine.h` is its interface, which [`ffi`] implements; the C++ headers beside it
//! wrap that. Everything else here is safe Rust: a [`ffi::Host`] is what a pipeline is behind its
//! handle.

mod abi;
mod backend;
mod callback;
mod error;
pub mod ffi;
mod frames;
mod host;
mod log;
mod open;
mod options;
mod run;
mod settings;
mod sinks;
mod stats;
