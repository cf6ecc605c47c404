//! Runs one setting and gathers its numbers.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use engine::batch::{BatchTrace, DeviceParts, DeviceTimes, Span};
use engine::metrics::{Attribution, Histogram, Summary};
use engine::pipeline::{
    Mode, Pipeline, PipelineOptions, RunReport, StageRates, Stages, ThreadBudget, cores,
};
use engine::sink::{SaveObserver, SinkOptions, SinkTarget};

use super::report::{AttributionSeconds, DeviceSummaries, DeviceTraffic, Histograms, Run, Spread};
use super::timeline::Timeline;
use super::trace::Recording;
use crate::args::BenchArgs;
use crate::setup::SINK_QUEUE;
use crate::{interrupt, machine, setup};

/// One point of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) mode: Mode,
    pub(super) batch: usize,
    pub(super) workers: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, batch, workers } = self;
        write!(f, "batch {batch}, workers {workers}, {mode}")
    }
}

/// A setting's numbers, and what `--trace` writes.
pub(super) struct Measured {
    pub(super) run: Run,
    pub(super) recording: Option<Recording>,
}

/// Bins of the histograms at most, and how narrow they are at least, in milliseconds.
const BINS: usize = 40;
const RESOLUTION_MS: f64 = 0.001;

/// Stages that are connected anew for every setting.
pub(super) struct Bench<'a> {
    args: &'a BenchArgs,
    /// Empty only while a pipeline has them.
    stages: Option<Stages>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(stages: Stages, args: &'a BenchArgs) -> Self {
        Self { args, stages: Some(stages) }
    }

    /// Threads that save frames; a sequential run saves in its own.
    fn encoders(&self, mode: Mode) -> usize {
        match mode {
            Mode::Sequential => 0,
            Mode::Pipelined => self.args.sink.encoder_threads(cores()),
        }
    }

    pub(super) fn budget(&self, setting: Setting) -> ThreadBudget {
        match &self.stages {
            Some(stages) => setup::budget(stages, setting.workers, self.encoders(setting.mode)),
            None => unreachable!("the stages are back between settings"),
        }
    }

    /// Warms up, measures every stage alone, then runs; `None` if interrupted before a run was
    /// whole.
    pub(super) fn measure(&mut self, setting: Setting) -> Result<Option<Measured>> {
        let stages = self.stages.take().context("the stages were lost in a failed run")?;
        let options = PipelineOptions {
            batch: setting.batch,
            workers: setting.workers,
            mode: setting.mode,
            sink_depth: setup::sink_depth(self.encoders(setting.mode)),
            trace: true,
        };
        let mut pipeline = Pipeline::new(stages, options)?;
        let run = self.measure_in(&mut pipeline, setting);
        self.stages = Some(pipeline.into_stages());
        run
    }

    fn measure_in(&self, pipeline: &mut Pipeline, setting: Setting) -> Result<Option<Measured>> {
        let cancel = interrupt::token();
        let mut warm_up = Vec::new();
        if self.args.warmup > 0 {
            let sink =
                SinkTarget::Null.open(self.sink_options(pipeline, self.args.warmup, None))?;
            warm_up = pipeline.run(self.args.warmup, sink, cancel)?.traces;
        }
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let Some(rates) = self.stage_rates(pipeline)? else { return Ok(None) };

        let frames = self.args.frames;
        let mut repeats = Vec::new();
        for _ in 0..self.args.repeat {
            let saves = Arc::new(SaveTimes::new(frames));
            let observer: Arc<dyn SaveObserver> = Arc::clone(&saves) as _;
            let sink = self.args.sink.open(self.sink_options(pipeline, frames, Some(observer)))?;
            machine::reset_peak_rss();
            let report = pipeline.run(frames, sink, cancel)?;
            if report.cancelled {
                break;
            }
            repeats.push((report, saves.milliseconds(), machine::peak_rss_mb()));
        }
        Ok(self.summarise(pipeline.stages(), setting, &rates, &warm_up, repeats))
    }

    /// Measures the stages; the sink's files go to a temporary folder beside the real ones.
    fn stage_rates(&self, pipeline: &mut Pipeline) -> Result<Option<StageRates>> {
        let cancel = interrupt::token();
        let Some((target, folder)) = trial(&self.args.sink)? else {
            return Ok(pipeline.measure_stages(None, cancel)?);
        };
        let sink = target.open(self.sink_options(pipeline, 0, None))?;
        let rates = pipeline.measure_stages(Some(sink), cancel)?;
        drop(folder);
        Ok(rates)
    }

    fn sink_options(
        &self,
        pipeline: &Pipeline,
        frames: u64,
        observer: Option<Arc<dyn SaveObserver>>,
    ) -> SinkOptions {
        SinkOptions {
            encoders: self.encoders(pipeline.options().mode),
            queue: SINK_QUEUE,
            observer,
            ..SinkOptions::new(pipeline.stages().frame, frames)
        }
    }

    /// The median repeat as one entry.
    fn summarise(
        &self,
        stages: &Stages,
        setting: Setting,
        rates: &StageRates,
        warm_up: &[BatchTrace],
        mut repeats: Vec<(RunReport, Vec<f64>, Option<f64>)>,
    ) -> Option<Measured> {
        repeats.sort_by(|a, b| a.0.fps().total_cmp(&b.0.fps()));
        let spread = Spread {
            n: repeats.len(),
            fps_min: repeats.first()?.0.fps(),
            fps_max: repeats.last()?.0.fps(),
        };
        let (report, mut saves, peak_rss_mb) = repeats.swap_remove((repeats.len() - 1) / 2);
        let values = |time: fn(&BatchTrace) -> Duration| -> Vec<f64> {
            let traces = report.traces.iter();
            traces.map(|trace| time(trace).as_secs_f64() * 1e3 / trace.frames as f64).collect()
        };
        let per_frame = |time| Summary::of(&mut values(time));
        let histogram = |time| Histogram::of(&values(time), BINS, RESOLUTION_MS);
        let infer: fn(&BatchTrace) -> Duration = |trace| trace.infer.duration();
        let composite: fn(&BatchTrace) -> Duration = |trace| trace.composite.duration();
        let (device_ms, device_kb) = device_summaries(&report.traces, warm_up).unzip();
        let (bound_by, bound_fps) = rates.bound();
        let fps = report.fps();
        let run = Run {
            backend: stages.backend.name(),
            provider: stages.backend.provider().to_owned(),
            mode: setting.mode.to_string(),
            batch: setting.batch,
            workers: setting.workers,
            sink: self.args.sink.to_string(),
            compositor: stages.compositor.level().to_string(),
            frame_store: if stages.store.in_ram() { "ram" } else { "stream" },
            frames: report.frames,
            repeat: spread,
            wall_s: report.wall().as_secs_f64(),
            fps,
            speedup: None,
            inference_ms: per_frame(infer),
            device_ms,
            device_kb,
            composite_ms: per_frame(composite),
            composite_cpu_ms: per_frame(|trace| trace.composite_cpu),
            assemble_ms: per_frame(|trace| {
                trace.assemble.duration().saturating_sub(trace.frame_wait)
            }),
            save_ms: Summary::of(&mut saves),
            histograms: Histograms {
                inference_ms: histogram(infer),
                composite_ms: histogram(composite),
            },
            inference_fps: rates.infer,
            stage_fps: *rates,
            bound_fps,
            bound_by,
            efficiency: fps / bound_fps,
            attribution: AttributionSeconds(Attribution::of(&report.spans, &report.traces)),
            threads: setup::budget(stages, setting.workers, self.encoders(setting.mode)),
            peak_rss_mb,
            timeline: Timeline::of(&report),
        };
        let recording = self.args.trace.is_some();
        let recording = recording.then(|| Recording::of(report, self.args.trace_batches));
        Some(Measured { run, recording })
    }
}

/// What the device says of batches, a value each and for each frame.
fn device_summary<'a>(
    traces: impl IntoIterator<Item = &'a BatchTrace>,
    part: impl Fn(&DeviceTimes) -> Option<f64>,
) -> Summary {
    let per_frame = |trace: &BatchTrace| Some(part(trace.device.as_ref()?)? / trace.frames as f64);
    Summary::of(&mut traces.into_iter().filter_map(per_frame).collect::<Vec<_>>())
}

/// `None` where no batch has times of a device.
fn device_summaries(
    traces: &[BatchTrace],
    warm_up: &[BatchTrace],
) -> Option<(DeviceSummaries, DeviceTraffic)> {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let time =
        |of: fn(&DeviceTimes) -> Duration| device_summary(traces, |device| Some(ms(of(device))));
    let part = |of: fn(&DeviceParts) -> Duration| {
        let summary = device_summary(traces, |device| device.parts.as_ref().map(|p| ms(of(p))));
        (summary.n > 0).then_some(summary)
    };
    let kb = |bytes: u64| bytes as f64 / 1e3;
    let up = |first: bool| {
        move |device: &DeviceTimes| ((device.bytes_kept > 0) == first).then(|| kb(device.bytes_up))
    };
    let up_first = device_summary(warm_up.iter().chain(traces), up(true));
    let times = DeviceSummaries {
        upload: time(|device| device.upload),
        compute: time(|device| device.compute),
        assemble: part(|parts| parts.assemble),
        network: part(|parts| parts.network),
        composite: part(|parts| parts.composite),
        download: time(|device| device.download),
    };
    let traffic = DeviceTraffic {
        up: device_summary(traces, up(false)),
        up_first: (up_first.n > 0).then_some(up_first),
        down: device_summary(traces, |device| Some(kb(device.bytes_down))),
    };
    (times.compute.n > 0).then_some((times, traffic))
}

/// A sink like `target` for a trial, and the folder that goes away with what was written there;
/// `None` where a trial would disturb somebody, such as the reader of a pipe.
fn trial(target: &SinkTarget) -> Result<Option<(SinkTarget, Option<tempfile::TempDir>)>> {
    let near = match target {
        SinkTarget::Null => return Ok(Some((SinkTarget::Null, None))),
        SinkTarget::RawStdout => return Ok(None),
        // A few frames tell nothing about an encoder that looks ahead.
        SinkTarget::Video(_) => return Ok(None),
        SinkTarget::Raw(path) if path.exists() && !path.is_file() => return Ok(None),
        SinkTarget::Raw(path) | SinkTarget::Images { dir: path, .. } => path,
    };
    let near = std::path::absolute(near)?;
    let existing = near.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let folder = tempfile::Builder::new()
        .prefix(".bench-")
        .tempdir_in(existing)
        .with_context(|| format!("{}: cannot make a folder there", existing.display()))?;
    let target = match target {
        SinkTarget::Images { format, .. } => {
            SinkTarget::Images { dir: folder.path().to_owned(), format: *format }
        }
        _ => SinkTarget::Raw(folder.path().join("frames.raw")),
    };
    Ok(Some((target, Some(folder))))
}

/// How long each frame took to save, written from the sink's threads without a lock.
struct SaveTimes(Box<[AtomicU64]>);

impl SaveTimes {
    /// Stands for a frame that no sink has saved.
    const UNSAVED: u64 = u64::MAX;

    fn new(frames: u64) -> Self {
        Self((0..frames).map(|_| AtomicU64::new(Self::UNSAVED)).collect())
    }

    fn milliseconds(&self) -> Vec<f64> {
        let times = self.0.iter().map(|time| time.load(Ordering::Relaxed));
        times.filter(|&time| time != Self::UNSAVED).map(|time| time as f64 / 1e6).collect()
    }
}

impl SaveObserver for SaveTimes {
    fn saved(&self, index: u64, started: Instant, ended: Instant) {
        let time = Span { start: started, end: ended }.duration();
        if let Some(slot) = usize::try_from(index).ok().and_then(|index| self.0.get(index)) {
            slot.store(time.as_nanos() as u64, Ordering::Relaxed);
        }
    }
}
