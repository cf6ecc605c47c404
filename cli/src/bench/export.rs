//! Files of results, rewritten whole after every run.

use std::path::Path;

use anyhow::{Context, Result};
use engine::file::WholeFile;

use super::report::Report;
use super::table;
use crate::args::BenchArgs;

/// Finds out before the first run whether the files can be written.
pub(super) fn check_writable(args: &BenchArgs) -> Result<()> {
    for path in [&args.json, &args.csv, &args.markdown].into_iter().flatten() {
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
    Ok(())
}

fn replace(path: &Path, text: &str) -> Result<()> {
    Ok(WholeFile::replace(path, text.as_bytes())?)
}
