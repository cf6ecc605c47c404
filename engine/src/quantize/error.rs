//! Why there is no quantized network.

use std::io;
use std::path::{Path, PathBuf};

use super::MARGIN_DB;
use crate::backend::BackendError;
use crate::dataset::DatasetError;
use crate::onnx::OnnxError;
use crate::onnx::quantize::GraphError;
use crate::verify::VerifyError;

/// A network could not be quantized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The network cannot be read or fed, or the runtime fails.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The package cannot be read, or does not fit the network.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Comparing frames.
    #[error(transparent)]
    Verify(VerifyError),
    /// A network that is to be judged cannot be written to a temporary file.
    #[error(transparent)]
    Write(#[from] OnnxError),
    /// There is no room for temporary files.
    #[error("cannot make a temporary folder in {}", std::env::temp_dir().display())]
    Temporary(#[source] io::Error),
    /// Weights are elsewhere.
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
    /// The graph is not one that can be quantized.
    #[error("{}: cannot be quantized", path.display())]
    Graph {
        /// The model.
        path: PathBuf,
        /// What stands in the way.
        source: GraphError,
    },
    /// Whatever is quantized, the frames are too far off.
    #[error(
        "{}: none of its {layers} layers can compute in 8 bits at {min_psnr_db} dB with {MARGIN_DB} dB \
         to spare (all of them give {worst_db:.1} dB in the worst frame); ask for less with --min-psnr, \
         or use the fp32 network",
        path.display()
    )]
    NothingLeft {
        /// The model.
        path: PathBuf,
        /// Layers that were tried.
        layers: usize,
        /// Worst frame with all of them in 8 bits.
        worst_db: f64,
        /// What was asked for.
        min_psnr_db: f64,
    },
    /// The runtime gives something else than it was asked for.
    #[error("ONNX Runtime gives \"{tensor}\" as {found}; expected {expected}")]
    Output {
        /// The tensor.
        tensor: String,
        /// What came.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// Somebody asked to stop.
    #[error("the quantization was cancelled")]
    Cancelled,
}

impl From<VerifyError> for QuantizeError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Cancelled => Self::Cancelled,
            other => Self::Verify(other),
        }
    }
}

/// An error while ranges were collected, before the file is named.
pub(super) enum CalibrationError {
    Graph(GraphError),
    Other(QuantizeError),
}

impl CalibrationError {
    pub(super) fn in_file(self, path: &Path) -> QuantizeError {
        match self {
            Self::Graph(source) => QuantizeError::Graph { path: path.to_owned(), source },
            Self::Other(error) => error,
        }
    }
}

impl<E: Into<QuantizeError>> From<E> for CalibrationError {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}
