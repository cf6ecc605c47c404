//! Stands in for `cuda.rs` in builds without it.

use std::path::Path;

use super::{BackendOptions, Opened, SelectError};

const ABSENT: SelectError = SelectError::NotBuilt { what: "CUDA" };

pub(super) fn gpu(_device: usize) -> Result<String, String> {
    Err(ABSENT.to_string())
}

pub(super) fn onnxruntime(_model: &Path, _options: &BackendOptions) -> Result<Opened, SelectError> {
    Err(ABSENT)
}
