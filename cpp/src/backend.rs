//! What runs the network, and what the host's log says while it is got ready.

use std::path::Path;
use std::sync::Arc;

use engine::select::{self, BackendOptions, Opened, SelectError, Watch};
use engine_sys::{Log, NoProgress, Severity};

use crate::error::{Code, Error};
use crate::log;

/// Hands TensorRT's warnings to the host. Errors come back with the call that fails.
struct Warnings;

impl Log for Warnings {
    fn message(&self, severity: Severity, text: &str) {
        if severity == Severity::Warning {
            log::warning(text.trim_end());
        }
    }
}

/// Calls `work` with what tells the host about it.
pub(crate) fn watched<T>(work: impl FnOnce(&Watch<'_>) -> T) -> T {
    work(&Watch {
        say: &say,
        cancelled: &|| false,
        log: Arc::new(Warnings),
        progress: Arc::new(NoProgress),
    })
}

/// Hands on a line that is set in columns for a terminal.
fn say(line: &str) {
    match (line.strip_prefix("warning: "), line.split_once("  ")) {
        (Some(warning), _) => log::warning(warning),
        (None, Some((about, rest))) => log::info(&format!("{about}: {}", rest.trim_start())),
        (None, None) => log::info(line),
    }
}

/// Opens the backend that `options` ask for, to run `model`.
pub(crate) fn open(
    model: Option<&Path>,
    options: &BackendOptions,
    watch: &Watch<'_>,
) -> Result<Opened, Error> {
    match select::open(model, options, watch) {
        Ok(opened) => {
            opened.remarks.iter().for_each(|remark| say(remark));
            Ok(opened)
        }
        Err(SelectError::NoModel) => Err(Error::new(
            Code::Package,
            "the package has no network (what onnx.file in package_info.json names, else \
             checkpoint/model_best.onnx); expected one, or options.model",
        )),
        Err(error) => Err(error.into()),
    }
}
