//! The program as its users meet it: arguments in; exit status, messages and files out.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod audio;
mod bad_audio;
mod bad_features;
mod bad_model;
mod bad_output;
mod bad_package;
mod bad_settings;
mod bench;
mod browser;
mod compare;
#[cfg(feature = "tensorrt")]
mod convert;
mod doctor;
#[cfg(feature = "tensorrt")]
mod doctor_tensorrt;
mod html;
mod interrupt;
#[cfg(feature = "cuda")]
mod onnxruntime_cuda;
mod openvino;
mod page;
mod precision;
mod quantize;
mod render;
#[cfg(feature = "tensorrt")]
mod stand_ins;
mod support;
#[cfg(feature = "tensorrt")]
mod tensorrt;
mod tools;
mod trace;
mod tune;
mod video;
