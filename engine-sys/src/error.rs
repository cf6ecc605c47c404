//! What can go wrong between a library file and an engine at work.

use std::path::PathBuf;

use crate::{Flavour, HOW_TO_BUILD_IN, Version};

/// TensorRT could not be loaded or refused what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The headers of that flavour were not there when this program was built.
    #[error("this program was built without {}: {HOW_TO_BUILD_IN}", .flavour.title())]
    NotBuilt {
        /// The flavour.
        flavour: Flavour,
    },
    /// The dynamic loader does not take the file.
    #[error("{}: cannot be loaded as {}: {reason}", path.display(), flavour.title())]
    Load {
        /// The library.
        path: PathBuf,
        /// What it should have been.
        flavour: Flavour,
        /// The loader's words.
        reason: String,
    },
    /// The library is of another line of TensorRT; nothing else in it was called.
    #[error("{}: is version {found}; expected {} (version {}.x)", path.display(), flavour.title(), flavour.major())]
    WrongVersion {
        /// The library.
        path: PathBuf,
        /// What it should have been.
        flavour: Flavour,
        /// What it says.
        found: Version,
    },
    /// The library runs engines and cannot build them.
    #[error("{}: only runs engines; building one needs {} beside it", path.display(), flavour.runtime_library())]
    NoBuilder {
        /// The library.
        path: PathBuf,
        /// Its flavour.
        flavour: Flavour,
    },
    /// A path that TensorRT cannot be told.
    #[error("{}: a library's path must be valid UTF-8", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// TensorRT refused.
    #[error("{}: {attempt}{}", .flavour.title(), reasons(.log))]
    Refused {
        /// The flavour.
        flavour: Flavour,
        /// What failed, in the shim's words.
        attempt: String,
        /// The errors that TensorRT logged about it, oldest first.
        log: Vec<String>,
    },
    /// The progress monitor asked for an end.
    #[error("the build was cancelled")]
    Cancelled,
}

fn reasons(log: &[String]) -> String {
    match log {
        [] => ", and it gives no reason".to_owned(),
        // NVIDIA's messages have line ends of their own.
        log => {
            let lines =
                log.iter().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            format!(": {}", lines.collect::<Vec<_>>().join("; "))
        }
    }
}
