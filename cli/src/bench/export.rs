//! Files of results, rewritten whole after every run.

use std::path::Path;

use anyhow::{Context, Result};
use engine::file::WholeFile;
use serde_json::json;

use super::page;
use super::report::Report;
use super::table::{self, configuration};
use super::trace::{self, Recording};
use crate::args::BenchArgs;

/// Finds out before the first run whether the files can be written.
pub(super) fn check_writable(args: &BenchArgs) -> Result<()> {
    let files = [&args.json, &args.csv, &args.markdown, &args.html, &args.trace];
    for path in files.into_iter().flatten() {
        WholeFile::create(path)?;
    }
    Ok(())
}

/// Writes the files that were asked for.
pub(super) fn write(report: &Report, args: &BenchArgs) -> Result<()> {
    if let Some(path) = &args.json {
        let mut text = serde_json::to_string_pretty(report).context("encoding the results")?;
        text.push('\n');
        replace(path, &text)?;
    }
    if let Some(path) = &args.csv {
        replace(path, &table::csv(report))?;
    }
    if let Some(path) = &args.markdown {
        replace(path, &format!("{}\n", table::markdown(report)))?;
    }
    if let Some(path) = &args.html {
        replace(path, &page::page(report)?)?;
    }
    Ok(())
}

/// Writes what was recorded of the latest run if that is the fastest so far.
pub(super) fn write_trace(
    report: &Report,
    recording: Option<&Recording>,
    args: &BenchArgs,
) -> Result<()> {
    let (Some(path), Some(recording), Some(best)) = (&args.trace, recording, report.best()) else {
        return Ok(());
    };
    if report.best != report.runs.len().checked_sub(1) {
        return Ok(());
    }
    let title = format!("{}, {}", configuration(best), best.backend);
    let about = json!({
        "setting": { "mode": best.mode, "batch": best.batch, "workers": best.workers },
        "fps": best.fps,
        "frames": best.frames,
        "backend": best.backend,
        "provider": best.provider,
        "sink": best.sink,
        "package": report.package.path,
        "model": report.model.file,
        "cpu": report.machine.cpu,
        "measured_at": report.measured_at,
        "command": report.command,
    });
    trace::write(path, recording, &title, &about)
}

fn replace(path: &Path, text: &str) -> Result<()> {
    Ok(WholeFile::replace(path, text.as_bytes())?)
}
