//! From arguments to stages that are ready to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use engine::backend::{Backend, BackendError};
use engine::batch::Assembler;
use engine::composite::{Compositor, CompositorChoice};
use engine::dataset::{Features, FrameStore, Pace, Package, StoreMode, StoreOptions};
use engine::frame::{FrameRate, ModelGeometry};
use engine::pipeline::{PipelineOptions, Placement, Stages, ThreadBudget, cores};
use engine::select::{BackendOptions, DEFAULT_SIDE, Opened, Ready, Sample, Watch};

use crate::args::{AudioArgs, BackendArgs, FrameArgs, Workers};
use crate::audio::Speech;
use crate::profile::Picked;
use crate::progress::with_preload_bar;
use crate::{backend, interrupt};

/// Frames that wait for an encoder before the pipeline does.
pub(crate) const SINK_QUEUE: usize = 4;

/// Frames that a sink with this many encoder threads keeps.
pub(crate) fn sink_depth(encoders: usize) -> usize {
    if encoders == 0 { 0 } else { SINK_QUEUE + encoders }
}

/// How many frames are wanted, against how many feature rows there are.
#[derive(Clone, Copy)]
pub(crate) enum FrameCount {
    /// Exactly this many, by default one a row; more than there are rows is an error.
    Rows(Option<u64>),
    /// This many; the rows repeat.
    Repeat(u64),
}

/// Stages, and what was found out on the way.
pub(crate) struct Prepared {
    pub(crate) stages: Stages,
    pub(crate) package: Arc<Package>,
    /// The network's file: what was asked for, or its quantized form where that is what runs.
    pub(crate) model: Option<PathBuf>,
    pub(crate) frames: u64,
}

/// What is to be opened.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The package's folder.
    pub(crate) root: &'a Path,
    pub(crate) backend: &'a BackendArgs,
    pub(crate) frame: &'a FrameArgs,
    pub(crate) features: Option<&'a Path>,
    pub(crate) audio: &'a AudioArgs,
    pub(crate) count: FrameCount,
    /// Frames a second of the output.
    pub(crate) rate: FrameRate,
    /// The largest batch that will be run.
    pub(crate) largest_batch: usize,
    /// Whether nothing is to be said about it.
    pub(crate) quiet: bool,
    /// What a profile says instead of `backend`.
    pub(crate) picked: &'a Picked,
}

/// Opens everything, in the order in which mistakes are cheapest to find.
pub(crate) fn prepare(request: Request<'_>) -> Result<Prepared> {
    backend::watched(request.quiet, |watch| prepare_watched(request, watch))
}

fn prepare_watched(request: Request<'_>, watch: &Watch<'_>) -> Result<Prepared> {
    let (scene, opened) = Scene::open(request, watch)?;
    let ready = opened.verified(scene.model.as_deref(), scene.sample(), &scene.options, watch);
    let blamed = |error| request.picked.blamed(error);
    let Ready { backend, model } = ready.map_err(|error| blamed(error.into()))?;
    let (package, frames) = (Arc::clone(&scene.package), scene.frames);
    let stages = scene.stages(backend, model.as_deref(), watch).map_err(blamed)?;
    Ok(Prepared { stages, package, model, frames })
}

/// Everything but what runs the network from now on.
pub(crate) struct Scene<'a> {
    request: Request<'a>,
    /// What is asked of the backend.
    pub(crate) options: BackendOptions,
    /// The network's file, as it was asked for.
    pub(crate) model: Option<PathBuf>,
    pub(crate) package: Arc<Package>,
    store: FrameStore,
    assembler: Assembler,
    compositor: Compositor,
    frames: u64,
}

impl<'a> Scene<'a> {
    /// Opens everything, in the order in which mistakes are cheapest to find; also what would run the
    /// network.
    pub(crate) fn open(request: Request<'a>, watch: &Watch<'_>) -> Result<(Self, Opened)> {
        let Request { root, frame, features, count, quiet, picked, .. } = request;
        request.backend.check()?;
        let say = |line: String| (watch.say)(&line);
        if !root.is_dir() {
            let what = if root.exists() { "not a folder" } else { "no such folder" };
            bail!("{}: {what}; expected an avatar package", root.display());
        }
        let mut speech = Speech::open(request.audio, features, root, request.backend, &say)?;
        let mut options = request.backend.options(request.largest_batch);
        let model = match (&picked.fitting, &request.backend.model) {
            (Some(fitting), _) => {
                fitting.profile.apply(&mut options);
                Some(fitting.model.clone())
            }
            (None, Some(model)) => Some(model.clone()),
            (None, None) => Package::find_model(root)?,
        };
        let opened = backend::open(root, &options, model.as_deref(), watch);
        let mut opened = opened.map_err(|error| picked.blamed(error))?;
        opened.remarks.drain(..).for_each(&say);
        let backend = &mut opened.backend;
        // A batch that the network does not take is found out before anything is loaded.
        let allocated = backend.allocate(request.largest_batch).map_err(anyhow::Error::from);
        drop(allocated.map_err(|error| match request.largest_batch == picked.batch {
            true => picked.blamed(error),
            false => error,
        })?);
        if frame.compositor == CompositorChoice::Cuda && !backend.can_composite() {
            return Err(BackendError::NoDeviceCompositing { backend: backend.name() }.into());
        }
        let geometry = backend.geometry();
        let package = match &picked.fitting {
            // Its files were read already.
            Some(fitting) if fitting.package.geometry() == geometry => Arc::clone(&fitting.package),
            _ => Arc::new(Package::open(root, geometry, frame.inputs)?),
        };
        say(format!(
            "package     {}: {} background frames of {}, {} inputs, {}",
            root.display(),
            package.frame_count(),
            package.frame_size(),
            frame.inputs,
            package.form(),
        ));
        let rows = match (features, &mut speech) {
            (Some(path), _) => Features::load(path)?,
            (None, Some(speech)) => speech.features(quiet)?,
            (None, None) => package.features()?,
        };
        let pace = Pace::of(request.rate);
        let rows = rows.at_pace(pace);
        let (frames, rows) = match count {
            FrameCount::Repeat(frames) => (frames, rows.repeat_to(usize::try_from(frames)?)),
            FrameCount::Rows(None) => (rows.frames(), rows),
            FrameCount::Rows(Some(frames)) if frames <= rows.frames() => (frames, rows),
            FrameCount::Rows(Some(frames)) => {
                let speech = speech.as_ref().map(|speech| speech.path.as_path());
                let origin =
                    features.or(speech).map_or_else(|| root.join("aud_ave.npy"), Path::to_owned);
                bail!(
                    "--frames is {frames}, but {} has {} feature rows, enough for {} frames",
                    origin.display(),
                    rows.rows(),
                    rows.frames()
                );
            }
        };

        let compositor = Compositor::new(
            frame.compositor,
            frame.interpolation,
            geometry,
            package.frame_size(),
            package.rects(),
        )?;
        let storage = StoreOptions {
            mode: frame.frame_store,
            ram_budget: frame.ram_budget,
            decode_threads: cores(),
        };
        let mut store = with_preload_bar(quiet, |progress| {
            FrameStore::open(Arc::clone(&package), &storage, progress)
        })?;
        store.set_pace(pace);
        say(match store.in_ram() {
            true => format!(
                "frames      in RAM: {:.0} MB, loaded in {:.2} s",
                store.ram_bytes() as f64 / 1e6,
                store.preload_time().as_secs_f64()
            ),
            false if frame.frame_store == StoreMode::Stream => {
                "frames      decoded ahead".to_owned()
            }
            false => format!(
                "frames      decoded ahead: {:.0} MB do not fit the budget of {:.0} MB",
                package.decoded_bytes() as f64 / 1e6,
                frame.ram_budget as f64 / 1e6
            ),
        });
        let assembler = Assembler::new(rows);
        let scene = Self { request, options, model, package, store, assembler, compositor, frames };
        Ok((scene, opened))
    }

    /// Frames that are to be made, where that is known.
    fn made(&self) -> Option<u64> {
        // Rows that repeat are for measuring.
        matches!(self.request.count, FrameCount::Rows(_)).then_some(self.frames)
    }

    /// What a network may be compared over.
    pub(crate) fn sample(&self) -> Sample<'_> {
        let Self { request, store, assembler, .. } = self;
        Sample { package: request.root, store, assembler, frames: self.made() }
    }

    /// The stages, with `backend` running the network in the file `model`.
    pub(crate) fn stages(
        self,
        backend: Box<dyn Backend>,
        model: Option<&Path>,
        watch: &Watch<'_>,
    ) -> Result<Stages> {
        let made = self.made();
        let Self { request, options, package, store, assembler, compositor, .. } = self;
        let frame = request.frame;
        let side = backend.geometry().side();
        (watch.say)(&format!(
            "network     {}: {side} x {side} on {} ({})",
            model.map_or_else(|| "none".into(), |path| path.display().to_string()),
            backend.name(),
            match backend.nominal_ms() {
                Some(ms) => format!("{ms} ms a frame"),
                None => format!("{}, {} threads", backend.provider(), backend.cpu_threads()),
            },
        ));
        let stages = Stages {
            store,
            assembler,
            backend,
            compositor,
            frame: package.frame_size(),
            rects: package.rects().to_vec(),
        };
        let placement = Placement {
            choice: frame.compositor,
            interpolation: frame.interpolation,
            frames: made,
            options: PipelineOptions {
                batch: request.largest_batch,
                workers: ThreadBudget::auto_workers(request.largest_batch, cores()),
                mode: frame.mode,
                sink_depth: 0,
                trace: false,
            },
            plan: options.gpu.device_plan(&package),
        };
        let stages = stages.place_compositing(&placement, interrupt::token(), watch.say)?;
        (watch.say)(&format!("compositor  {}, {}", stages.compositor.level(), frame.interpolation));
        Ok(stages)
    }
}

/// The sizes taken for granted where there is no network to ask.
pub(crate) fn default_geometry() -> Result<ModelGeometry> {
    ModelGeometry::new(DEFAULT_SIDE).context("the default side is in range")
}

/// Resolves `--workers`.
pub(crate) fn worker_count(workers: Workers, batch: usize) -> usize {
    match workers {
        Workers::Auto => ThreadBudget::auto_workers(batch, cores()),
        Workers::Count(count) => count,
    }
}

/// The threads of a run of `stages`.
pub(crate) fn budget(stages: &Stages, workers: usize, sink_threads: usize) -> ThreadBudget {
    ThreadBudget {
        cores: cores(),
        backend: stages.backend.cpu_threads(),
        workers,
        decoder: usize::from(!stages.store.in_ram()),
        sink: sink_threads,
    }
}
