//! `--backend`: what runs the network, and what is said while it is got ready.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use engine::dataset::{DatasetError, Inputs, Package};
use engine::select::{self, BackendChoice, BackendOptions, Opened, Watch};
use engine_sys::{Log, Severity};

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
        // A warning is no part of the progress.
        if !quiet || line.starts_with("warning: ") {
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

/// Opens the backend that `options` ask for, to run `model` over the package in `root`.
pub(crate) fn open(
    root: &Path,
    options: &BackendOptions,
    model: Option<&Path>,
    watch: &Watch<'_>,
) -> Result<Opened> {
    if model.is_none() && options.backend != BackendChoice::Simulated {
        return Err(no_network(root));
    }
    Ok(select::open(model, options, watch)?)
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
