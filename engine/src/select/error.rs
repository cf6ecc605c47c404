//! Why there is no backend.

use std::path::PathBuf;

use engine_sys::HOW_TO_BUILD_IN;

use super::PrecisionChoice;
use crate::backend::BackendError;
use crate::dataset::DatasetError;
use crate::verify::VerifyError;

/// The backend that was asked for cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// There is nothing to run.
    #[error("no network to run; name one with --model")]
    NoModel,
    /// Only TensorRT runs engines.
    #[error(
        "{}: is an engine, which only --backend tensorrt runs; expected the ONNX file it was made \
         from",
        path.display()
    )]
    Engine {
        /// The engine.
        path: PathBuf,
    },
    /// The backend does not open.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The package cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// What runs the network could not be compared with full precision.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// This build has no TensorRT, or none of the flavour that was asked for.
    #[error("this program was built without {what}: {HOW_TO_BUILD_IN}")]
    NotBuilt {
        /// What is not there.
        what: &'static str,
    },
    /// This build has no OpenVINO.
    #[error(
        "this program was built without OpenVINO: build it again with the feature \"openvino\""
    )]
    NoOpenVino,
    /// The OpenVINO library that was named cannot be used.
    #[error("--openvino-lib {}: {why}", library.display())]
    OpenVinoLibrary {
        /// The library.
        library: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An option is for another backend than the one that was named.
    #[error("{option} is for --backend openvino, and not for --backend {backend}; leave it out")]
    OpenVinoOption {
        /// The option.
        option: &'static str,
        /// The backend.
        backend: &'static str,
    },
    /// The precision that was named is too far from full precision.
    #[error(
        "{contender}: {worst_psnr_db:.2} dB in the worst frame, {frame}, against full precision; \
         expected at least {min_psnr_db} dB (--min-psnr)"
    )]
    TooFar {
        /// The runtime and its precision.
        contender: String,
        /// The frame.
        frame: u64,
        /// Its peak signal-to-noise ratio.
        worst_psnr_db: f64,
        /// What was asked for.
        min_psnr_db: f64,
    },
    /// The network is not quantized, but a form beside it is.
    #[error(
        "{}: the network computes in floats, and --precision int8 is for a quantized one; its \
         quantized form is {}: name that file instead",
        path.display(),
        form.display()
    )]
    QuantizedBeside {
        /// The network.
        path: PathBuf,
        /// Its quantized form.
        form: PathBuf,
    },
    /// The backend does not compute in that precision.
    #[error("--precision {precision} is not for --backend {backend}; expected {possible}")]
    Precision {
        /// What was asked for.
        precision: PrecisionChoice,
        /// The backend.
        backend: &'static str,
        /// What can be had of it.
        possible: &'static str,
    },
    /// An engine could not be made or is not to be used.
    #[cfg(feature = "tensorrt")]
    #[error(transparent)]
    Convert(#[from] crate::convert::ConvertError),
    /// No TensorRT that was tried takes the model.
    #[cfg(feature = "tensorrt")]
    #[error(
        "{}: no TensorRT here runs it: {}; `engine-cli doctor` says where was looked and what to do",
        model.display(),
        reasons.join("; ")
    )]
    NoTensorRt {
        /// The network or the engine.
        model: PathBuf,
        /// Why not, for each flavour that was tried.
        reasons: Vec<String>,
    },
    /// There is no place for an engine that is to be made and kept.
    #[cfg(feature = "tensorrt")]
    #[error(
        "an engine has to be made of the network, and cannot be kept{}; XDG_CACHE_HOME names another \
         folder, or make it with `engine-cli convert-engine` and name it with --model",
        folder.as_deref().map_or_else(
            || ", since neither HOME nor XDG_CACHE_HOME is set".to_owned(),
            |folder| format!(" in {}", folder.display())
        )
    )]
    Cache {
        /// The folder that was to be made.
        folder: Option<PathBuf>,
        /// What the system said.
        source: Option<std::io::Error>,
    },
    /// The engine brings code of its own, and nobody said that it may.
    #[cfg(feature = "tensorrt")]
    #[error(
        "{}: the engine brings code that would run in this process, as version-compatible ones do; \
         --trust-engine permits it, for an engine that you would run as a program",
        engine.display()
    )]
    HostCode {
        /// The engine.
        engine: PathBuf,
    },
    /// An engine was made for another machine.
    #[cfg(feature = "tensorrt")]
    #[error(
        "{}: the engine does not fit this machine: {}; make it again: {command}",
        engine.display(),
        text(differences)
    )]
    Misfit {
        /// The engine.
        engine: PathBuf,
        /// What differs.
        differences: Vec<crate::convert::Difference>,
        /// The command that makes one that fits.
        command: String,
        /// What TensorRT said when it was tried.
        source: Option<Box<SelectError>>,
    },
}

impl SelectError {
    /// Whether an engine is too far from its network.
    pub(super) fn is_too_far(&self) -> bool {
        #[cfg(feature = "tensorrt")]
        if let Self::Convert(crate::convert::ConvertError::Quality { .. }) = self {
            return true;
        }
        false
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        if let Self::Verify(VerifyError::Cancelled) = self {
            return true;
        }
        #[cfg(feature = "tensorrt")]
        if let Self::Convert(crate::convert::ConvertError::Cancelled) = self {
            return true;
        }
        false
    }
}

#[cfg(feature = "cuda")]
impl From<crate::cuda::CudaError> for SelectError {
    fn from(error: crate::cuda::CudaError) -> Self {
        Self::Backend(error.into())
    }
}

#[cfg(feature = "tensorrt")]
fn text(differences: &[crate::convert::Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}
