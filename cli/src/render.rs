//! `engine-cli render`.

use anyhow::Result;
use engine::pipeline::{Mode, Pipeline, PipelineOptions, RunReport, cores};
use engine::sink::{ContactSheetSink, Sink, SinkOptions};

use crate::Outcome;
use crate::args::RenderArgs;
use crate::interrupt;
use crate::output::note;
use crate::progress::{Progress, ProgressSink};
use crate::setup::{self, FrameCount, Prepared, Request, SINK_QUEUE};

/// Thumbnails on a contact sheet.
const THUMBNAILS: usize = 12;

pub(crate) fn run(args: &RenderArgs) -> Result<Outcome> {
    let target = &args.output;
    let count = FrameCount::Rows(args.frames);
    let Prepared { stages, frames, .. } = setup::prepare(Request {
        root: &args.package,
        backend: &args.backend,
        frame: &args.frame,
        features: args.features.as_deref(),
        audio: &args.audio,
        count,
        largest_batch: args.batch,
        quiet: args.quiet,
    })?;
    let encoders = match args.frame.mode {
        Mode::Sequential => 0,
        Mode::Pipelined => target.encoder_threads(cores()),
    };
    let options = PipelineOptions {
        batch: args.batch,
        workers: setup::worker_count(args.workers, args.batch),
        mode: args.frame.mode,
        sink_depth: setup::sink_depth(encoders),
        trace: false,
    };
    if !args.quiet {
        note!("threads     {}", setup::budget(&stages, options.workers, encoders));
    }
    let frame = stages.frame;
    let mut pipeline = Pipeline::new(stages, options)?;
    let mut sink: Box<dyn Sink> = target.open(SinkOptions {
        encoders,
        queue: SINK_QUEUE,
        ..SinkOptions::new(frame, frames)
    })?;
    if let Some(sheet) = &args.contact_sheet {
        sink = Box::new(ContactSheetSink::new(sink, sheet, frame, frames, THUMBNAILS)?);
    }
    let progress = Progress::new("rendering", "frames", frames, args.quiet);
    let sink = Box::new(ProgressSink { inner: sink, progress });
    let report = pipeline.run(frames, sink, interrupt::token())?;
    if !args.quiet {
        summarise(args, &report, frames);
    }
    Ok(if report.cancelled { Outcome::Interrupted } else { Outcome::Done })
}

fn summarise(args: &RenderArgs, report: &RunReport, asked: u64) {
    note!(
        "rendered    {} of {asked} frames in {:.2} s: {:.2} frames/s, {:.2} x real time; busiest: {}",
        report.frames,
        report.wall().as_secs_f64(),
        report.fps(),
        report.fps() / 25.0,
        report.busy.longest().0,
    );
    note!("written to  {}", args.output);
    if let Some(sheet) = &args.contact_sheet {
        note!("            {}", sheet.display());
    }
}
