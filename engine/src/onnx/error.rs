//! What can be wrong with a model file.

use std::io;
use std::path::PathBuf;

use crate::file::FileError;

/// Why a model could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The file could not be opened or read.
    #[error("cannot read the model {}", path.display())]
    Read {
        /// The model.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("the model {} is empty (0 bytes)", path.display())]
    Empty {
        /// The model.
        path: PathBuf,
    },
    /// The model is larger than the format allows.
    #[error(
        "the model {} has {bytes} bytes, but an ONNX file holds at most 2 GiB; export it with its \
         weights as external data",
        path.display()
    )]
    TooLarge {
        /// The model.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The bytes are not a protobuf message of the ONNX format.
    #[error("{} is not an ONNX model, or it is truncated", path.display())]
    Decode {
        /// The model.
        path: PathBuf,
        /// Where decoding stopped.
        #[source]
        source: prost::DecodeError,
    },
    /// The bytes can be decoded, but something that every model has is missing.
    #[error("{} is not an ONNX model, or it is truncated: it has no {missing}", path.display())]
    Incomplete {
        /// The model.
        path: PathBuf,
        /// What is missing, a field of onnx.proto.
        missing: &'static str,
    },
    /// The file could not be written.
    #[error("cannot write the model {}", path.display())]
    Write {
        /// The model.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: FileError,
    },
}
