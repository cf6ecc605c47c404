//! `engine-cli bench`: measure, then print; the two are apart.

mod advice;
mod export;
mod measure;
mod report;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::pipeline::Mode;

use crate::Outcome;
use crate::args::BenchArgs;
use crate::interrupt;
use crate::machine::Machine;
use crate::setup::{self, FrameCount, Prepared};
use measure::{Bench, Setting};
use report::Report;

pub(crate) fn run(args: &BenchArgs) -> Result<Outcome> {
    let settings = settings(args);
    export::check_writable(args)?;
    let package = match &args.package {
        Some(package) => package.clone(),
        None => crate::sample::cached()?,
    };
    let prepared = setup::prepare(
        &package,
        &args.backend,
        &args.frame,
        args.features.as_deref(),
        FrameCount::Repeat(args.frames.max(args.warmup)),
        false,
    )?;
    let mut report = Report::new(Machine::probe(), &prepared, args);
    let Prepared { stages, .. } = prepared;
    let mut bench = Bench::new(stages, args);

    let mut interrupted = false;
    for setting in settings {
        eprintln!("running     {setting}: {}", bench.budget(setting));
        let Some(run) = bench.measure(setting)? else {
            interrupted = true;
            break;
        };
        report.push(run);
        export::write(&report, args)?;
        if interrupt::token().is_cancelled() {
            interrupted = true;
            break;
        }
    }
    println!("{}", table::terminal(&report));
    for line in advice::lines(&report) {
        println!("{line}");
    }
    Ok(if interrupted { Outcome::Interrupted } else { Outcome::Done })
}

/// The baseline, then the grid in the order in which it was given, each setting once.
fn settings(args: &BenchArgs) -> Vec<Setting> {
    let mut settings = vec![Setting { mode: Mode::Sequential, batch: 1, workers: 1 }];
    for &batch in &args.batch {
        for &workers in &args.workers {
            let workers = setup::worker_count(workers, batch);
            let setting = Setting { mode: args.frame.mode, batch, workers };
            if !settings.contains(&setting) {
                settings.push(setting);
            }
        }
    }
    settings
}

/// The folder for things that can be made again.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let from_home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(from_home)
        .map(|cache| cache.join("talking-head-engine"))
        .context("no cache folder: set HOME or XDG_CACHE_HOME, or name a package with --package")
}
