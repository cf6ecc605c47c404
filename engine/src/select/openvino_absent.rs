//! Stands in for `openvino.rs` in builds without it.

use std::path::Path;

use super::{BackendOptions, Opened, SelectError};

pub(super) fn open(_model: &Path, _options: &BackendOptions) -> Result<Opened, SelectError> {
    Err(SelectError::NoOpenVino)
}
