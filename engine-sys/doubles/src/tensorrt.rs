//! The TensorRT libraries and their ONNX parsers.
