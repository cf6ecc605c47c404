//! The engine: an avatar package and a network in, composited frames out.
//!
//! Data flows one way: [`dataset`] -> [`batch`] -> [`backend`] -> [`composite`] -> [`sink`], wired
//! by [`pipeline`]; only empty buffers travel back. [`audio`] makes the features of a sound, where a
//! dataset's own are not wanted. All pixels are 8-bit BGR, rows packed without padding, top row
//! first.

pub mod audio;
pub mod backend;
pub mod batch;
pub mod composite;
#[cfg(feature = "tensorrt")]
pub mod convert;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod dataset;
pub mod file;
pub mod frame;
pub mod metrics;
pub mod onnx;
pub mod pipeline;
pub mod profile;
pub mod quality;
pub mod quantize;
#[cfg(feature = "sample")]
pub mod sample;
pub mod select;
pub mod sink;
mod threads;
pub mod tune;
pub mod verify;
