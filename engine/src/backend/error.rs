//! What can go wrong between a model file and its predictions.

use std::path::PathBuf;

#[cfg(feature = "openvino")]
use engine_sys::openvino::OpenVinoError;
use engine_sys::search::NoOpenVino;

use super::{BatchLimit, LibraryError};
#[cfg(feature = "cuda")]
use crate::cuda::CudaError;
use crate::frame::OutOfMemory;
use crate::onnx::OnnxError;

/// A backend could not be set up or could not run the network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The model is not one that the engine can feed.
    #[error("{}: {problem}", path.display())]
    Model {
        /// The model file.
        path: PathBuf,
        /// What does not fit, and what was expected.
        problem: String,
    },
    /// The model file cannot be read as ONNX.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The runtime does not take the file.
    #[error("{}: {runtime} cannot load this as a model; expected an ONNX file that `inspect` calls sound", path.display())]
    Load {
        /// The model file.
        path: PathBuf,
        /// The runtime.
        runtime: &'static str,
        /// What the runtime said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The network takes another number of frames at a time.
    #[error("{}: the model's batch is {limit}, --batch is {batch}; use --batch {possible} or {}", path.display(), remedy(*.limit))]
    Batch {
        /// The model file.
        path: PathBuf,
        /// What the model takes.
        limit: BatchLimit,
        /// What was asked for.
        batch: usize,
        /// What would work.
        possible: usize,
    },
    /// No memory for a batch.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// No usable runtime library.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// No OpenVINO library was found.
    #[error(transparent)]
    NoOpenVino(#[from] NoOpenVino),
    /// OpenVINO.
    #[cfg(feature = "openvino")]
    #[error(transparent)]
    OpenVino(#[from] OpenVinoError),
    /// The processor does not compute in that precision.
    #[error(
        "--precision {precision} is not for this processor ({cpu}); expected one of {possible}"
    )]
    Precision {
        /// What was asked for.
        precision: &'static str,
        /// The processor.
        cpu: String,
        /// What it computes in.
        possible: String,
    },
    /// A network that is not quantized was to run in integers.
    #[error(
        "{}: --precision int8 runs quantized networks, and this one is not: it has no QuantizeLinear \
         and DequantizeLinear nodes; make one of it with `engine-cli quantize`",
        path.display()
    )]
    NotQuantized {
        /// The model file.
        path: PathBuf,
    },
    /// Streams have at least a thread each.
    #[error("--streams {streams} need as many threads, but --threads is {threads}")]
    Streams {
        /// Frames that were to be computed at one time.
        streams: usize,
        /// The threads for that.
        threads: usize,
    },
    /// The GPU or its driver.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// TensorRT.
    #[cfg(feature = "tensorrt")]
    #[error(transparent)]
    TensorRt(#[from] engine_sys::Error),
    /// An engine file cannot be read.
    #[cfg(feature = "tensorrt")]
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The engine.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The backend's predictions are composited on the CPU only.
    #[error(
        "compositor cuda was asked for, but the backend is {backend}; use --backend tensorrt \
         or --backend onnxruntime --provider cuda, or compositor auto, which gives the same bytes"
    )]
    NoDeviceCompositing {
        /// The backend.
        backend: &'static str,
    },
    /// The backend was used in a way that it does not offer.
    #[error("{attempt}, but {state}")]
    Misused {
        /// What was asked.
        attempt: &'static str,
        /// Why it cannot be.
        state: &'static str,
    },
    /// ONNX Runtime cannot compute where it was asked to.
    #[error("{}: ONNX Runtime cannot use the GPU: {problem}", library.display())]
    Provider {
        /// The ONNX Runtime library.
        library: PathBuf,
        /// What is missing, and how to get it.
        problem: String,
        /// What the runtime said, where it was asked.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The runtime failed while working.
    #[error("ONNX Runtime failed {attempt}")]
    Run {
        /// What was being done.
        attempt: &'static str,
        /// What the runtime said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The runtime gave something other than a prediction for every frame.
    #[error("the model's output \"output\" has shape {found:?}; expected {expected:?}")]
    OutputShape {
        /// What came.
        found: Vec<i64>,
        /// What was expected.
        expected: Vec<i64>,
    },
}

fn remedy(limit: BatchLimit) -> &'static str {
    match limit {
        BatchLimit::UpTo(_) => "convert the model again with a larger --batch",
        _ => "export the model again with a dynamic batch dimension",
    }
}
