//! `engine-cli render`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use engine::pipeline::{Mode, Pipeline, PipelineOptions, RunReport, cores};
use engine::sink::video::{Start, VideoJob};
use engine::sink::{ContactSheetSink, Sink, SinkOptions, SinkTarget};
use serde_json::json;

use crate::args::RenderArgs;
use crate::output::note;
use crate::outputs::inputs;
use crate::profile::Picked;
use crate::run_progress::{RunProgress, Show, json};
use crate::setup::{self, FrameCount, Prepared, Request, SINK_QUEUE};
use crate::video::{self, Ingredients};
use crate::{Outcome, interrupt};

/// Thumbnails on a contact sheet.
const THUMBNAILS: usize = 12;

pub(crate) fn run(args: &RenderArgs) -> Result<Outcome> {
    let target = &args.output;
    if args.json_progress && *target == SinkTarget::RawStdout {
        bail!("--json-progress writes to stdout, where -o raw:- puts the frames; use raw:FILE");
    }
    let sheet = args.contact_sheet.as_deref();
    if let Some(other) = sheet.filter(|sheet| sheet.extension().is_none_or(|end| end != "png")) {
        bail!("--contact-sheet is {}; expected a name that ends in .png", other.display());
    }
    inputs(&args.package, &args.backend, args.features.as_deref(), &args.audio)
        .read("the profile", args.profile.file())
        .written("-o", file(&args.output))
        .written("--contact-sheet", sheet)
        .frames(&args.output)
        .check()?;
    let quiet = args.quiet || args.json_progress;
    let picked = Picked::new(&args.package, &args.backend, &args.frame, &args.profile, quiet)?;
    let batch = args.batch.unwrap_or(picked.batch);
    let prepared = setup::prepare(Request {
        root: &args.package,
        backend: &args.backend,
        frame: &args.frame,
        features: args.features.as_deref(),
        audio: &args.audio,
        count: FrameCount::Rows(args.frames),
        rate: args.video.fps,
        largest_batch: batch,
        quiet,
        picked: &picked,
    })?;
    let frames = prepared.frames;
    let encoders = match args.frame.mode {
        Mode::Sequential => 0,
        Mode::Pipelined => target.encoder_threads(cores()),
    };
    let options = PipelineOptions {
        batch,
        workers: setup::worker_count(args.workers.unwrap_or(picked.workers), batch),
        mode: args.frame.mode,
        sink_depth: setup::sink_depth(encoders),
        trace: false,
    };
    if !quiet {
        note!("threads     {}", setup::budget(&prepared.stages, options.workers, encoders));
    }
    let resumed = args.video.start() == Start::Resume;
    let place = open(args, &prepared, options, encoders, quiet);
    let Place { first, sink } =
        place.map_err(|error| if resumed { picked.blamed(error) } else { error })?;
    let mut pipeline = Pipeline::new(prepared.stages, options)?;
    let show = match (args.quiet, args.json_progress) {
        (_, true) => Show::Json,
        (true, _) => Show::Nothing,
        _ => Show::Text,
    };
    let progress = Arc::new(RunProgress::new(show, first, frames, args.video.fps.as_f64()));
    pipeline.observe(progress.clone());
    let report = pipeline.run_part(first..frames, sink, interrupt::token());
    progress.finish();
    let report = report?;
    summarise(args, &report, first, frames, show);
    Ok(if report.cancelled { Outcome::Interrupted } else { Outcome::Done })
}

/// Where the frames go, and the first of them that is still to be rendered.
struct Place {
    first: u64,
    sink: Box<dyn Sink>,
}

fn open(
    args: &RenderArgs,
    prepared: &Prepared,
    run: PipelineOptions,
    encoders: usize,
    quiet: bool,
) -> Result<Place> {
    let Prepared { stages, frames, .. } = prepared;
    let place = match &args.output {
        SinkTarget::Video(path) => open_video(args, prepared, run.batch, path, quiet)?,
        _ if args.video.start() != Start::New => {
            bail!("--resume and --restart are for videos; {} is none", args.output)
        }
        target => {
            if let (Some(sound), false) = (&args.audio.audio, quiet) {
                let not_used = args.features.as_ref().map_or("not heard", |_| "not used");
                note!("audio       {}: {not_used}, since {target} is no video", sound.display());
            }
            let options = SinkOptions {
                encoders,
                queue: SINK_QUEUE,
                ..SinkOptions::new(stages.frame, *frames)
            };
            Place { first: 0, sink: target.open(options)? }
        }
    };
    let Some(sheet) = &args.contact_sheet else { return Ok(place) };
    let sheet = ContactSheetSink::new(place.sink, sheet, stages.frame, *frames, THUMBNAILS)?;
    Ok(Place { sink: Box::new(sheet), ..place })
}

fn open_video(
    args: &RenderArgs,
    prepared: &Prepared,
    batch: usize,
    path: &Path,
    quiet: bool,
) -> Result<Place> {
    let Prepared { stages, package, model, frames } = prepared;
    let options = video::options(&args.video, &args.audio, batch, quiet)?;
    let identity = video::identity(&Ingredients {
        package,
        model: model.as_deref(),
        features: stages.assembler.features(),
        sound: args.audio.audio.as_deref(),
        stages,
        frame: &args.frame,
        batch,
    })?;
    if !quiet {
        note!(
            "video       {}: {} at {} frames/s by ffmpeg {}",
            path.display(),
            options.codec.describe(),
            options.rate,
            options.ffmpeg.version()
        );
    }
    let start = args.video.start();
    let job = VideoJob::begin(path, stages.frame, *frames, options, identity, start)?;
    let first = job.first_frame();
    if !quiet && start == Start::Resume {
        note!("resuming    with frame {first} of {frames}");
    }
    Ok(Place { first, sink: job.open(SINK_QUEUE, None)? })
}

/// The file that a sink writes, where it is one.
pub(crate) fn file(target: &SinkTarget) -> Option<&Path> {
    match target {
        SinkTarget::Video(path) | SinkTarget::Raw(path) => Some(path),
        SinkTarget::Null | SinkTarget::Images { .. } | SinkTarget::RawStdout => None,
    }
}

/// How a person would name the place.
fn place(target: &SinkTarget) -> String {
    match target {
        SinkTarget::Video(path) | SinkTarget::Raw(path) => path.display().to_string(),
        SinkTarget::Images { dir, .. } => dir.display().to_string(),
        SinkTarget::Null | SinkTarget::RawStdout => target.to_string(),
    }
}

fn summarise(args: &RenderArgs, report: &RunReport, first: u64, frames: u64, show: Show) {
    let real_time = report.fps() / args.video.fps.as_f64();
    let unfinished = match &args.output {
        SinkTarget::Video(path) if report.cancelled => Some(path),
        _ => None,
    };
    match show {
        Show::Nothing => {}
        Show::Json => json(
            if report.cancelled { "interrupted" } else { "done" },
            &json!({
                "frames": first + report.frames,
                "total": frames,
                "seconds": report.wall().as_secs_f64(),
                "fps": report.fps(),
                "real_time": real_time,
                "busiest": report.busy.longest().0,
                "output": place(&args.output),
            }),
        ),
        Show::Text => {
            let again = if first > 0 { format!(", {first} before") } else { String::new() };
            note!(
                "rendered    {} of {frames} frames in {:.2} s{again}: {:.2} frames/s, {real_time:.2} x \
                 real time; busiest: {}",
                report.frames,
                report.wall().as_secs_f64(),
                report.fps(),
                report.busy.longest().0,
            );
            match unfinished {
                Some(path) if VideoJob::is_begun(path) => {
                    note!("kept        {}.segments", path.display());
                    note!("to continue: {}", video::resume_command());
                }
                Some(_) => note!("kept        nothing, since no part of the video was whole yet"),
                None => note!("written to  {}", place(&args.output)),
            }
            if let (Some(sheet), None) = (&args.contact_sheet, unfinished) {
                note!("            {}", sheet.display());
            }
        }
    }
}
