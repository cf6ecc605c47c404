//! What kind of engine is wanted.

use serde::{Deserialize, Serialize};

use crate::batch::BatchRange;
use crate::onnx::precision::Precision;

/// What kind of engine is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineOptions {
    /// What the network computes in. Its inputs and outputs are 32-bit floats either way.
    pub precision: Precision,
    /// The batches it takes.
    pub batch: BatchRange,
    /// Bytes of device memory that layers may use while they run; `None` leaves TensorRT's default.
    pub workspace: Option<u64>,
    /// Also runs with later minor versions of the same major version, at some cost in speed.
    pub version_compatible: bool,
    /// Also runs on other GPUs from Ampere on, at some cost in speed.
    pub hardware_compatible: bool,
}
