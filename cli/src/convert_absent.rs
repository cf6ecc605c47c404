//! Stands in for `convert.rs` in builds without TensorRT.

use anyhow::Result;
use engine::select::SelectError;

use crate::Outcome;
use crate::args::ConvertArgs;

pub(crate) fn run(_args: &ConvertArgs) -> Result<Outcome> {
    Err(SelectError::NotBuilt { what: "TensorRT" }.into())
}
