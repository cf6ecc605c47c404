//! Stands in for `openvino.rs` in builds without it.

use std::path::Path;

use super::{BackendOptions, OpenVinoSettings, Opened, SelectError};

pub(super) fn open(_model: &Path, _options: &BackendOptions) -> Result<Opened, SelectError> {
    Err(SelectError::NoOpenVino)
}

/// What would be known about OpenVINO.
pub(super) struct Probe {
    pub(super) version: String,
    pub(super) bf16: bool,
}

pub(super) fn probe(_settings: &OpenVinoSettings) -> Result<Probe, String> {
    Err(SelectError::NoOpenVino.to_string())
}
