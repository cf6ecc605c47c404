//! Why there is no engine.

use std::fmt;
use std::io;
use std::path::PathBuf;

use engine_sys::Flavour;

use crate::backend::BackendError;
use crate::batch::BatchRange;
use crate::cuda::CudaError;
use crate::dataset::DatasetError;
use crate::file::{FileError, LockError};
use crate::onnx::batch::BatchError;
use crate::onnx::precision::PrecisionError;
use crate::verify::VerifyError;

/// A network could not be converted to an engine, or the engine is not to be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The model cannot be read or fed, or a runtime that is needed fails.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// TensorRT reads a model from memory, where it finds no other files.
    #[error(
        "{}: the tensor \"{tensor}\" is stored outside the model file; expected weights inside it: \
         save the model again without external data",
        path.display()
    )]
    External {
        /// The model.
        path: PathBuf,
        /// The first such tensor.
        tensor: String,
    },
    /// The network takes other batches than the engine should.
    #[error("{}: cannot take batches of {batch} frames (--batch MIN:OPT:MAX)", path.display())]
    Batch {
        /// The model.
        path: PathBuf,
        /// What was asked for.
        batch: BatchRange,
        /// What stands in the way.
        source: BatchError,
    },
    /// The network cannot be moved to another precision.
    #[error("{}: cannot be converted to fp16", path.display())]
    Precision {
        /// The model.
        path: PathBuf,
        /// What stands in the way.
        source: PrecisionError,
    },
    /// Engines of this flavour are built on the GPU that is to run them.
    #[error("{} builds engines on the GPU that is to run them; TensorRT-RTX needs none for that", flavour.title())]
    NeedsGpu {
        /// The flavour.
        flavour: Flavour,
        /// Why there is none.
        source: CudaError,
    },
    /// TensorRT failed.
    #[error("{}: no engine was built", path.display())]
    Build {
        /// The model.
        path: PathBuf,
        /// What TensorRT said.
        source: engine_sys::Error,
    },
    /// Somebody asked to stop.
    #[error("the conversion was cancelled")]
    Cancelled,
    /// Another conversion to the same file is under way, or no lock can be had.
    #[error(transparent)]
    Lock(LockError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The log cannot be begun.
    #[error("cannot write the log {}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The record beside an engine is not one.
    #[error(
        "{}: is no record of an engine: {problem}; delete it to run the engine without",
        path.display()
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A record cannot be written as text.
    #[error("the engine's record cannot be encoded")]
    Encode(#[source] serde_json::Error),
    /// The frames for a comparison.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The comparison.
    #[error(transparent)]
    Verify(VerifyError),
    /// There is nothing to compare an engine with.
    #[error("{}: {problem}, so the engine cannot be compared with it", path.display())]
    Source {
        /// Where the network was.
        path: PathBuf,
        /// What is there now.
        problem: &'static str,
    },
    /// The conversion changed what the network predicts.
    #[error(
        "{what} is too far from the network {}: {worst_db:.1} dB in frame {frame}, bytes differ by \
         up to {largest}; expected at least {floor_db} dB; {}",
        network.display(),
        what.remedy()
    )]
    Quality {
        /// What is too far.
        what: Compared,
        /// The network it is compared with.
        network: PathBuf,
        /// The lowest signal-to-noise ratio of a frame, in dB.
        worst_db: f64,
        /// Number of that frame.
        frame: u64,
        /// The largest difference of two bytes.
        largest: u8,
        /// What was expected, in dB.
        floor_db: f64,
    },
}

/// What is compared with a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The converted graph.
    Graph,
    /// An engine.
    Engine {
        /// Its file.
        path: PathBuf,
        /// The GPU's name.
        gpu: String,
    },
}

impl Compared {
    const fn remedy(&self) -> &'static str {
        match self {
            Self::Graph => {
                "the float32 network with --precision fp32 stays closer, --force makes the engine all the same"
            }
            Self::Engine { .. } => {
                "convert it again, with fp32 or another TensorRT, or run it all the same with \
                 --unverified"
            }
        }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Graph => f.write_str("the converted graph"),
            Self::Engine { path, gpu } => write!(f, "the engine {} on {gpu}", path.display()),
        }
    }
}

impl From<LockError> for ConvertError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Cancelled => Self::Cancelled,
            other => Self::Lock(other),
        }
    }
}

impl From<VerifyError> for ConvertError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Cancelled => Self::Cancelled,
            other => Self::Verify(other),
        }
    }
}
