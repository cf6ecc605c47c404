//! Stands in for `tensorrt.rs` in builds without it.

use std::path::Path;

use anyhow::{Result, bail};

use crate::args::BackendArgs;
use crate::backend::Opened;

const ABSENT: &str =
    "this program was built without TensorRT; build it with the feature \"tensorrt\"";

pub(crate) fn is_engine(model: &Path) -> bool {
    let extension = model.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("engine" | "plan" | "trt"))
}

pub(crate) fn gpu(_device: u8) -> Result<String> {
    bail!(ABSENT)
}

pub(crate) fn open(_model: &Path, _args: &BackendArgs) -> Result<Opened> {
    bail!(ABSENT)
}
