//! Why a profile is not used.

use std::path::PathBuf;

use crate::dataset::DatasetError;
use crate::file::FileError;
use crate::select::SelectError;

/// A profile that is not to be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("{}: cannot be read as a profile", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{}: {what}; expected a profile that `engine-cli tune` wrote", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The profile is of something else.
    #[error(
        "{}: {what}; make a profile of what is here with `engine-cli tune`, or do without with \
         --profile none",
        path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// An option says what a profile says, too.
    #[error(
        "--profile {} says what runs the network, and so does {option}; leave one of them out",
        path.display()
    )]
    Contradicted {
        /// The profile.
        path: PathBuf,
        /// The option.
        option: &'static str,
    },
    /// There is no ONNX file that a profile could be of.
    #[error("--profile {} is for a network in an ONNX file, and there is none", path.display())]
    NoNetwork {
        /// The profile.
        path: PathBuf,
    },
    /// The profile runs something else than OpenVINO, whose library was named.
    #[error("{} runs {backend}, and --openvino-lib is given", path.display())]
    OtherRuntime {
        /// The profile.
        path: PathBuf,
        /// What it runs.
        backend: String,
    },
    /// The network cannot be read.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The package cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// No place for profiles is known.
    #[error("no cache folder to keep a profile in: set HOME or XDG_CACHE_HOME")]
    NoFolder,
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}
