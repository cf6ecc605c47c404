//! The TensorRT libraries and their ONNX parsers, once per set of headers.

pub(crate) fn build() {}
