//! What can go wrong between OpenVINO's library and its predictions.

use std::path::PathBuf;

/// OpenVINO could not be loaded or refused what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenVinoError {
    /// The file cannot be used.
    #[error(
        "{}: cannot be used as OpenVINO: {reason}; expected a libopenvino_c.so of version 2025.1 or \
         newer",
        path.display()
    )]
    Unusable {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// OpenVINO refused.
    #[error("OpenVINO failed {attempt}: {reason}")]
    Refused {
        /// What was being done.
        attempt: &'static str,
        /// OpenVINO's words.
        reason: String,
    },
    /// No memory for tensors.
    #[error("no memory for tensors of {bytes} bytes")]
    Memory {
        /// How much was wanted.
        bytes: usize,
    },
}
