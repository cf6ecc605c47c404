//! Stands in for `tensorrt.rs` in builds without it.

use std::path::Path;

use anyhow::{Result, bail};
use engine_sys::HOW_TO_BUILD_IN;

use crate::args::BackendArgs;
use crate::backend::Opened;

pub(crate) fn is_engine(model: &Path) -> bool {
    let extension = model.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("engine" | "plan" | "trt"))
}

pub(crate) fn gpu(_device: u8) -> Result<String> {
    bail!("this program was built without TensorRT: {HOW_TO_BUILD_IN}")
}

pub(crate) fn open(_model: &Path, _args: &BackendArgs) -> Result<Opened> {
    bail!("this program was built without TensorRT: {HOW_TO_BUILD_IN}")
}
