//! Files of results, rewritten whole after every run.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

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

/// The file that is to be replaced: `path`, or what it links to. Devices and the like are not.
fn destination(path: &Path) -> Result<PathBuf> {
    match path.symlink_metadata() {
        Err(_) => Ok(path.to_owned()),
        Ok(_) if path.is_dir() => {
            bail!("{}: is a folder; expected the name of a file to write", path.display())
        }
        Ok(_) if path.is_file() => Ok(path.canonicalize()?),
        Ok(_) => {
            bail!("{}: is no regular file; expected the name of a file to write", path.display())
        }
    }
}

fn temporary(path: &Path) -> Result<tempfile::NamedTempFile> {
    let target = destination(path)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".bench-")
        // As any other new file: the umask takes away what it takes away.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .with_context(|| format!("{}: cannot write a file there", path.display()))
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let mut file = temporary(path)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.flush())
        .with_context(|| format!("{}: cannot write the results", path.display()))?;
    file.persist(destination(path)?)
        .map_err(|error| error.error)
        .with_context(|| format!("{}: cannot put the results in place", path.display()))?;
    Ok(())
}
