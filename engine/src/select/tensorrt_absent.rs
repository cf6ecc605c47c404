//! Stands in for `tensorrt.rs` in builds without it.

use std::path::Path;

use super::{BackendOptions, Opened, SelectError, Watch};

const ABSENT: SelectError = SelectError::NotBuilt { what: "TensorRT" };

pub(super) fn open(
    _model: &Path,
    options: &BackendOptions,
    _watch: &Watch<'_>,
) -> Result<Opened, SelectError> {
    options.tensorrt_precision()?;
    Err(ABSENT)
}
