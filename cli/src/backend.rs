//! `--backend`: what runs the network, and what is said while it is got ready.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use engine::dataset::{DatasetError, Inputs, Package};
use engine::select::{self, Opened, Watch};
use engine_sys::{Log, Severity};

use crate::args::{BackendArgs, BackendChoice};
use crate::build_progress::BuildProgress;
use crate::interrupt;
use crate::output::note;
use crate::setup::default_geometry;

/// Prints warnings. Errors come back with the call that fails, and the rest is for log files.
pub(crate) struct Warnings;

impl Log for Warnings {
    fn message(&self, severity: Severity, text: &str) {
        if severity == Severity::Warning {
            note!("warning: {}", text.trim_end());
        }
    }
}

/// Calls `work` with what tells the user about it, and ends it at Ctrl-C.
pub(crate) fn watched<T>(quiet: bool, work: impl FnOnce(&Watch<'_>) -> T) -> T {
    let say = |line: &str| {
        if !quiet {
            note!("{line}");
        }
    };
    work(&Watch {
        say: &say,
        cancelled: &|| interrupt::token().is_cancelled(),
        log: Arc::new(Warnings),
        progress: Arc::new(BuildProgress::new(quiet)),
    })
}

/// Opens the backend that `args` asks for, to run `model` over the package in `root` in batches of
/// up to `largest_batch`.
pub(crate) fn open(
    root: &Path,
    args: &BackendArgs,
    model: Option<&Path>,
    largest_batch: usize,
    watch: &Watch<'_>,
) -> Result<Opened> {
    if model.is_none() && args.backend != BackendChoice::Simulated {
        return Err(no_network(root));
    }
    Ok(select::open(model, &args.options(largest_batch), watch)?)
}

fn no_network(root: &Path) -> anyhow::Error {
    // Where there is no package at all, its network is not what is missing.
    let opened = default_geometry().map(|geometry| Package::open(root, geometry, Inputs::Derived));
    if let Ok(Err(error @ DatasetError::NotAPackage { .. })) = opened {
        return error.into();
    }
    anyhow::anyhow!(
        "{}: the package has no network (what onnx.file in package_info.json names, else \
         checkpoint/model_best.onnx); name one with --model",
        root.display()
    )
}
