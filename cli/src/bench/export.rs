//! Files of results, rewritten whole after every run.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::report::Report;
use super::table;
use crate::args::BenchArgs;

/// Finds out before the first run whether the files can be written.
pub(super) fn check_writable(args: &BenchArgs) -> Result<()> {
    for path in [&args.json, &args.csv, &args.markdown].into_iter().flatten() {
        temporary(path)?;
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

fn temporary(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() {
        anyhow::bail!("{}: is a folder; expected the name of a file to write", path.display());
    }
    tempfile::Builder::new()
        .prefix(".bench-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .with_context(|| format!("{}: cannot write a file there", path.display()))
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let mut file = temporary(path)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.flush())
        .with_context(|| format!("{}: cannot write the results", path.display()))?;
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(|| format!("{}: cannot put the results in place", path.display()))?;
    Ok(())
}
