//! `engine-cli bench`: measure, then print; the two are apart.

pub(crate) mod advice;
mod export;
mod measure;
mod page;
mod report;
mod table;
mod timeline;
mod trace;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use engine::backend::BatchLimit;
use engine::frame::FrameRate;
use engine::pipeline::Mode;
use engine::sink::SinkTarget;

use crate::Outcome;
use crate::args::BenchArgs;
use crate::interrupt;
use crate::machine::Machine;
use crate::output;
use crate::output::note;
use crate::outputs::inputs;
use crate::profile::Picked;
use crate::render;
use crate::setup::{self, FrameCount, Prepared, Request};
use measure::{Bench, Setting};
use report::Report;

pub(crate) fn run(args: &BenchArgs) -> Result<Outcome> {
    export::check_writable(args)?;
    let package = match &args.package {
        Some(package) => package.clone(),
        None => crate::sample::cached()?,
    };
    inputs(&package, &args.backend, args.features.as_deref(), &args.audio)
        .read("the profile", args.profile.file())
        .written("--sink", render::file(&args.sink))
        .written("--json", args.json.as_deref())
        .written("--csv", args.csv.as_deref())
        .written("--markdown", args.markdown.as_deref())
        .written("--html", args.html.as_deref())
        .written("--trace", args.trace.as_deref())
        .frames(&args.sink)
        .check()?;
    let picked = Picked::new(&package, &args.backend, &args.frame, &args.profile, false)?;
    let settings = settings(args, &picked);
    let prepared = setup::prepare(Request {
        root: &package,
        backend: &args.backend,
        frame: &args.frame,
        features: args.features.as_deref(),
        audio: &args.audio,
        count: FrameCount::Repeat(args.frames.max(args.warmup)),
        rate: FrameRate::DEFAULT,
        largest_batch: settings.iter().map(|setting| setting.batch).max().unwrap_or(1),
        quiet: false,
        picked: &picked,
    })?;
    if let (BatchLimit::Fixed(batch @ 2..), Some(model)) =
        (prepared.stages.backend.batch_limit(), &prepared.model)
    {
        bail!(
            "{}: the model's batch is fixed to {batch}, but the baseline of the speed-ups has batch 1; \
             expected a model with a dynamic batch dimension (`render --batch {batch}` takes this one)",
            model.display()
        );
    }
    let mut report = Report::new(Machine::probe(), &prepared);
    let Prepared { stages, .. } = prepared;
    let mut bench = Bench::new(stages, args);

    let outcome = measure_all(&mut bench, &settings, &mut report, args);
    // What was measured before something went wrong is worth seeing.
    if !report.runs.is_empty() {
        print(&report, args)?;
    }
    outcome
}

fn measure_all(
    bench: &mut Bench<'_>,
    settings: &[Setting],
    report: &mut Report,
    args: &BenchArgs,
) -> Result<Outcome> {
    for &setting in settings {
        note!("running     {setting}: {}", bench.budget(setting));
        let Some(measured) = bench.measure(setting)? else { return Ok(Outcome::Interrupted) };
        report.push(measured.run);
        export::write(report, args)?;
        export::write_trace(report, measured.recording.as_ref(), args)?;
        if interrupt::token().is_cancelled() {
            return Ok(Outcome::Interrupted);
        }
    }
    Ok(Outcome::Done)
}

/// Prints the table, to stderr where the frames have stdout.
fn print(report: &Report, args: &BenchArgs) -> Result<()> {
    let lines = [table::terminal(report)].into_iter().chain(report.advice.iter().cloned());
    let text = lines.collect::<Vec<_>>().join("\n");
    match args.sink {
        SinkTarget::RawStdout => note!("{text}"),
        _ => output::line(text)?,
    }
    Ok(())
}

/// The baseline, then the grid in the order in which it was given, each setting once.
fn settings(args: &BenchArgs, picked: &Picked) -> Vec<Setting> {
    let mut settings = vec![Setting { mode: Mode::Sequential, batch: 1, workers: 1 }];
    let (batch, workers) = ([picked.batch], [picked.workers]);
    let batches = if args.batch.is_empty() { &batch[..] } else { &args.batch };
    let numbers = if args.workers.is_empty() { &workers[..] } else { &args.workers };
    for &batch in batches {
        for &workers in numbers {
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
    engine::file::cache_folder()
        .context("no cache folder: set HOME or XDG_CACHE_HOME, or name a package with --package")
}
