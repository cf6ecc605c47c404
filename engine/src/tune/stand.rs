//! Where real settings are measured.

use std::time::{Duration, Instant};

use super::search::{Machine, Time};
use super::{Setting, TuneError};
use crate::backend::Backend;
use crate::pipeline::{CancelToken, Mode, Pipeline, PipelineOptions, StageRates, Stages};
use crate::select::{BackendOptions, Contender, OpenVinoSettings, Watch};
use crate::sink::NullSink;

/// Time that a run should take, and the part of it that is enough.
const WANTED: Duration = Duration::from_millis(500);
const ENOUGH: f64 = 0.8;
/// Batches in a run at least.
const BATCHES: u64 = 3;
/// Frames in a run at most, of what needs next to no time. The speech is that long.
pub(super) const MOST_FRAMES: u64 = 2048;
/// From this part of the time on, nothing new is tried.
const SHORT: f64 = 0.5;
/// Runtimes that are kept set up besides the one that runs.
const SHELF: usize = 2;

/// The pipeline, set up differently again and again.
pub(super) struct Stand<'a> {
    /// Empty only while a pipeline has them.
    pub(super) stages: Option<Stages>,
    /// What the runtime in `stages` was set up for.
    pub(super) running: Setting,
    /// Others, the one that ran last first.
    pub(super) shelf: Vec<(Setting, Box<dyn Backend>)>,
    pub(super) contenders: &'a [Contender],
    pub(super) options: &'a BackendOptions,
    pub(super) watch: &'a Watch<'a>,
    pub(super) cancel: &'a CancelToken,
    pub(super) began: Instant,
    pub(super) time: Duration,
    /// Takes each setting that ran, and its frames a second.
    pub(super) observe: &'a mut dyn FnMut(Setting, f64),
}

/// Options for the runtime of `setting`.
pub(super) fn options(
    contender: &Contender,
    setting: Setting,
    options: &BackendOptions,
) -> BackendOptions {
    let on_cpu = contender.is_on_cpu().then_some(setting.threads);
    BackendOptions {
        threads: on_cpu.or(options.threads),
        openvino: OpenVinoSettings { streams: Some(setting.streams), ..options.openvino.clone() },
        ..options.clone()
    }
}

impl Stand<'_> {
    /// Connects the stages as `setting` says, and does `work` with them.
    fn with<T>(
        &mut self,
        setting: Setting,
        work: impl FnOnce(&mut Pipeline, &CancelToken) -> Result<T, TuneError>,
    ) -> Result<T, TuneError> {
        // An error ends the search, and with it this.
        let mut stages = self.stages.take().ok_or(TuneError::Nothing)?;
        if !setting.shares_runtime(&self.running) {
            let there = self.shelf.iter().position(|(there, _)| there.shares_runtime(&setting));
            let backend = match there {
                Some(at) => self.shelf.remove(at).1,
                None => {
                    // Before there is one more.
                    self.shelf.truncate(SHELF - 1);
                    self.set_up(setting)?
                }
            };
            let before = std::mem::replace(&mut stages.backend, backend);
            self.shelf.insert(0, (self.running, before));
            self.running = setting;
        }
        let options = PipelineOptions {
            batch: setting.batch,
            workers: setting.workers,
            mode: Mode::Pipelined,
            sink_depth: 0,
            trace: false,
        };
        let mut pipeline = Pipeline::new(stages, options)?;
        let done = work(&mut pipeline, self.cancel);
        self.stages = Some(pipeline.into_stages());
        done
    }

    /// The runtime of `setting`.
    fn set_up(&self, setting: Setting) -> Result<Box<dyn Backend>, TuneError> {
        let contender = &self.contenders[setting.network];
        let options = options(contender, setting, self.options);
        Ok(contender.open(&options, self.watch)?.backend)
    }

    /// Frames a second of each stage alone.
    pub(super) fn stage_rates(&mut self, setting: Setting) -> Result<StageRates, TuneError> {
        self.with(setting, |pipeline, cancel| {
            pipeline.measure_stages(None, cancel)?.ok_or(TuneError::Cancelled)
        })
    }
}

impl Machine for Stand<'_> {
    type Error = TuneError;

    fn measure(&mut self, setting: Setting) -> Result<f64, TuneError> {
        let fps = self.with(setting, |pipeline, cancel| {
            let batch = setting.batch as u64;
            let lanes = pipeline.stages().backend.max_in_flight(setting.batch) as u64;
            let mut run = |batches: u64| {
                let frames = batches.saturating_mul(batch).min(MOST_FRAMES);
                let report = pipeline.run(frames, Box::new(NullSink), cancel)?;
                if report.cancelled {
                    return Err(TuneError::Cancelled);
                }
                // Batches that take that long, if a longer run is no slower.
                let share = report.wall().as_secs_f64() / WANTED.as_secs_f64();
                let wanted = (batches as f64 / share).ceil() as u64;
                let enough = share >= ENOUGH || frames == MOST_FRAMES;
                Ok((report.fps(), enough, wanted))
            };
            // What runs for the first time sets itself up, so that this says little.
            let (_, _, mut batches) = run(lanes)?;
            loop {
                let (fps, enough, wanted) = run(BATCHES.max(batches))?;
                if enough {
                    return Ok(fps);
                }
                batches = wanted;
            }
        })?;
        (self.observe)(setting, fps);
        Ok(fps)
    }

    fn time(&self) -> Time {
        let passed = self.began.elapsed();
        if passed > self.time {
            Time::Over
        } else if passed > self.time.mul_f64(SHORT) {
            Time::Short
        } else {
            Time::Enough
        }
    }
}
