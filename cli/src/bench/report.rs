//! The results as data: the JSON that `--json` writes is this, and its field names are a contract.

use std::ffi::OsString;
use std::path::Path;
use std::time::SystemTime;

use engine::file::shell_quoted;
use engine::metrics::{Attribution, Histogram, Summary};
use engine::pipeline::{StageRates, ThreadBudget};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::advice;
use super::timeline::Timeline;
use crate::machine::{self, Machine};
use crate::setup::Prepared;

/// Everything one invocation of `bench` found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Version of this format.
    pub(super) schema: u32,
    /// When it began, in UTC (RFC 3339).
    pub(super) measured_at: String,
    /// The command line, as a shell takes it.
    pub(super) command: String,
    pub(super) machine: Machine,
    /// GPUs that a run may use, as the driver names them.
    pub(super) gpus: Vec<String>,
    pub(super) libraries: Libraries,
    pub(super) model: ModelReport,
    pub(super) package: PackageReport,
    /// Seconds to load the frames into RAM; `null` where they are streamed.
    pub(super) preload_s: Option<f64>,
    /// The sequential run with batch 1 and 1 worker, which the speed-ups are relative to.
    pub(super) baseline: Option<Run>,
    /// All settings in the order in which they ran, the baseline first.
    pub(super) runs: Vec<Run>,
    /// Which of `runs` is the fastest, counted from 0.
    pub(super) best: Option<usize>,
    /// What the runs mean, a sentence each.
    pub(super) advice: Vec<String>,
}

/// What figures depend on besides this program; `null` where it is not used.
#[derive(Debug, Serialize)]
pub(super) struct Libraries {
    /// What runs the network.
    pub(super) backend: Option<String>,
    /// Version of OpenCV, which decodes videos.
    pub(super) opencv: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ModelReport {
    pub(super) file: Option<String>,
    pub(super) side: usize,
    pub(super) batch: String,
    pub(super) simulated_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct PackageReport {
    pub(super) path: String,
    pub(super) form: String,
    pub(super) frames: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) inputs: String,
    pub(super) decoded_mb: f64,
}

/// One setting.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    pub(super) backend: &'static str,
    pub(super) provider: String,
    pub(super) mode: String,
    pub(super) batch: usize,
    pub(super) workers: usize,
    pub(super) sink: String,
    pub(super) compositor: String,
    pub(super) frame_store: &'static str,
    pub(super) frames: u64,
    pub(super) repeat: Spread,
    pub(super) wall_s: f64,
    pub(super) fps: f64,
    /// Against the baseline's frames per second.
    pub(super) speedup: Option<f64>,
    /// Wall time of the stage per frame, one value a batch.
    pub(super) inference_ms: Summary,
    /// The accelerator's own account of it, where there is one.
    pub(super) device_ms: Option<DeviceSummaries>,
    pub(super) device_kb: Option<DeviceTraffic>,
    /// Wall time of the stage per frame, one value a batch.
    pub(super) composite_ms: Summary,
    /// Time of one worker per frame, averaged over each batch.
    pub(super) composite_cpu_ms: Summary,
    /// Wall time of the stage per frame without waiting for frames, one value a batch.
    pub(super) assemble_ms: Summary,
    /// Time to encode and write, one value a frame.
    pub(super) save_ms: Summary,
    /// How the values behind some of these summaries are distributed.
    pub(super) histograms: Histograms,
    /// The network alone.
    pub(super) inference_fps: f64,
    /// Each stage alone.
    #[serde(serialize_with = "rates")]
    pub(super) stage_fps: StageRates,
    /// The slowest of them.
    pub(super) bound_fps: f64,
    pub(super) bound_by: &'static str,
    /// `fps / bound_fps`.
    pub(super) efficiency: f64,
    /// Seconds of wall time by what they went into; they add up to `wall_s`.
    pub(super) attribution: AttributionSeconds,
    #[serde(serialize_with = "threads")]
    pub(super) threads: ThreadBudget,
    pub(super) peak_rss_mb: Option<f64>,
    /// The first batches.
    pub(super) timeline: Timeline,
}

/// Milliseconds a frame, one value a batch.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Histograms {
    pub(super) inference_ms: Histogram,
    pub(super) composite_ms: Histogram,
}

/// What an accelerator did by its own clock, per frame, one value a batch. Batches overlap, so the
/// parts may add up to more than the wall time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DeviceSummaries {
    pub(super) upload: Summary,
    pub(super) compute: Summary,
    /// The parts of that, where the device composites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assemble: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) composite: Option<Summary>,
    pub(super) download: Summary,
}

/// What was sent to an accelerator and back, in kilobytes a frame, one value a batch.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DeviceTraffic {
    /// Of batches whose frames were there before, if frames are kept there at all.
    pub(super) up: Summary,
    /// Of batches that brought frames, the warm-up's among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) up_first: Option<Summary>,
    pub(super) down: Summary,
}

/// How far the repeats of a setting were apart; the median one is the entry.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub(super) n: usize,
    pub(super) fps_min: f64,
    pub(super) fps_max: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct AttributionSeconds(pub(super) Attribution);

impl Serialize for AttributionSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.parts();
        serializer.collect_map(parts.iter().map(|(name, time)| (name, time.as_secs_f64())))
    }
}

fn rates<S: Serializer>(rates: &StageRates, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(5))?;
    map.serialize_entry("decode", &rates.decode)?;
    map.serialize_entry("assemble", &rates.assemble)?;
    map.serialize_entry("infer", &rates.infer)?;
    map.serialize_entry("composite", &rates.composite)?;
    map.serialize_entry("save", &rates.save)?;
    map.end()
}

fn threads<S: Serializer>(threads: &ThreadBudget, serializer: S) -> Result<S::Ok, S::Error> {
    let ThreadBudget { cores, backend, workers, decoder, sink } = *threads;
    let parts = [
        ("cores", cores),
        ("backend", backend),
        ("composite", workers),
        ("decoder", decoder),
        ("sink", sink),
    ];
    serializer.collect_map(parts)
}

impl Report {
    pub(super) fn new(machine: Machine, prepared: &Prepared) -> Self {
        let Prepared { stages, package, model, .. } = prepared;
        let size = package.frame_size();
        Self {
            schema: 1,
            measured_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            command: command(std::env::args_os()),
            machine,
            gpus: machine::gpus(stages.backend.provider()),
            libraries: Libraries {
                backend: stages.backend.library(),
                opencv: engine::composite::opencv_version(),
            },
            model: ModelReport {
                file: model.as_ref().map(|path| path.display().to_string()),
                side: stages.backend.geometry().side(),
                batch: stages.backend.batch_limit().to_string(),
                simulated_ms: stages.backend.nominal_ms(),
            },
            package: PackageReport {
                path: package.root().display().to_string(),
                form: package.form().to_string(),
                frames: package.frame_count(),
                width: size.width,
                height: size.height,
                inputs: package.inputs().to_string(),
                decoded_mb: package.decoded_bytes() as f64 / 1e6,
            },
            preload_s: stages.store.in_ram().then(|| stages.store.preload_time().as_secs_f64()),
            baseline: None,
            runs: Vec::new(),
            best: None,
            advice: Vec::new(),
        }
    }

    /// Adds a run. The first is the baseline.
    pub(super) fn push(&mut self, mut run: Run) {
        let baseline = self.baseline.as_ref().map_or(run.fps, |baseline| baseline.fps);
        run.speedup = Some(run.fps / baseline);
        if self.baseline.is_none() {
            self.baseline = Some(run.clone());
        }
        self.runs.push(run);
        let fastest = self.runs.iter().enumerate().max_by(|a, b| a.1.fps.total_cmp(&b.1.fps));
        self.best = fastest.map(|(index, _)| index);
        self.advice = advice::lines(self);
    }

    /// The fastest run.
    pub(super) fn best(&self) -> Option<&Run> {
        self.runs.get(self.best?)
    }
}

fn command(args: impl Iterator<Item = OsString>) -> String {
    args.map(|arg| shell_quoted(Path::new(&arg))).collect::<Vec<_>>().join(" ")
}
