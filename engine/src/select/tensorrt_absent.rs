//! Stands in for `tensorrt.rs` in builds without it.

use std::path::Path;

use super::{BackendOptions, Opened, SelectError, Watch};

pub(super) fn gpu(_device: usize) -> Result<String, String> {
    Err(SelectError::NotBuilt.to_string())
}

pub(super) fn open(
    _model: &Path,
    _options: &BackendOptions,
    _watch: &Watch<'_>,
) -> Result<Opened, SelectError> {
    Err(SelectError::NotBuilt)
}
