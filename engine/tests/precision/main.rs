//! Rewriting networks: half precision and a symbolic batch, checked on ONNX Runtime.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod batch;
mod graphs;
mod half;
mod refusals;
