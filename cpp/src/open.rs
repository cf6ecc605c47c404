//! From options to a pipeline that is ready to run.

use std::path::Path;
use std::sync::Arc;

use engine::batch::Assembler;
use engine::composite::Compositor;
use engine::dataset::{Features, FrameStore, Package, StoreOptions};
use engine::pipeline::{CancelToken, Pipeline, PipelineOptions, Placement, Stages, cores};
use engine::select::{Ready, Sample, Watch};

use crate::error::{Code, Error};
use crate::options::Options;
use crate::settings::Settings;
use crate::{backend, log};

/// A pipeline and the package it shows.
pub(crate) struct Opened {
    pub(crate) pipeline: Pipeline,
    pub(crate) package: Arc<Package>,
}

/// Opens everything, in the order in which mistakes are cheapest to find.
pub(crate) fn open(root: &Path, options: &Options) -> Result<Opened, Error> {
    backend::watched(|watch| open_watched(root, options, watch))
}

fn open_watched(root: &Path, options: &Options, watch: &Watch<'_>) -> Result<Opened, Error> {
    if !root.is_dir() {
        let what = if root.exists() { "not a folder" } else { "no such folder" };
        let message = format!("{}: {what}; expected an avatar package", root.display());
        return Err(Error::text(Code::Package, message));
    }
    let settings = Settings::of(root, options)?;
    let Settings { model, backend: asked, batch, workers, .. } = &settings;
    let opened = backend::open(model.as_deref(), asked, watch);
    let mut opened = opened.map_err(|error| settings.blamed(error))?;
    let backend = &mut opened.backend;
    // A batch that the network does not take is found out before anything is loaded.
    drop(backend.allocate(*batch).map_err(|error| match options.batch {
        None => settings.blamed(error.into()),
        Some(_) => error.into(),
    })?);
    let geometry = backend.geometry();
    let package = Arc::new(Package::open(root, geometry, options.inputs)?);
    let frame = package.frame_size();
    log::info(&format!(
        "package: {}, {} background frames of {frame}, {}",
        root.display(),
        package.frame_count(),
        package.form(),
    ));
    let compositor = Compositor::new(
        options.compositor,
        options.interpolation,
        geometry,
        frame,
        package.rects(),
    )?;
    let store = StoreOptions {
        mode: options.frame_store,
        ram_budget: options.ram_budget,
        decode_threads: cores(),
    };
    let store = FrameStore::open(Arc::clone(&package), &store, &mut |_, _| ())?;
    let place = if store.in_ram() { "in RAM" } else { "decoded ahead" };
    log::info(&format!("frames: {place}; compositor: {}", compositor.level()));
    // To compare an engine over; a package may well have no speech of its own.
    let rows = opened.engine.is_some().then(|| package.features().ok()).flatten();
    let assembler = Assembler::new(rows.unwrap_or_else(Features::empty));
    // Nobody expects a call to measure for seconds. What `engine-cli` has found out is used.
    let frames = Some(0);
    let sample = Sample { package: root, store: &store, assembler: &assembler, frames };
    let Ready { backend, model } = opened.verified(model.as_deref(), sample, asked, watch)?;
    log::info(&format!(
        "network: {}, {geometry} on {} ({})",
        model.as_deref().map_or_else(|| "none".into(), |path| path.display().to_string()),
        backend.name(),
        backend.provider(),
        geometry = format_args!("{0} x {0}", geometry.side()),
    ));
    let stages = Stages {
        store,
        // Each run brings its own speech.
        assembler: Assembler::new(Features::empty()),
        backend,
        compositor,
        frame,
        rects: package.rects().to_vec(),
    };
    let run = PipelineOptions {
        batch: *batch,
        workers: *workers,
        mode: options.mode,
        sink_depth: options.queued_frames + options.held_frames,
        trace: true,
    };
    let placement = Placement {
        choice: options.compositor,
        interpolation: options.interpolation,
        frames: None,
        options: run,
        plan: asked.gpu.device_plan(&package),
    };
    let stages = stages.place_compositing(&placement, &CancelToken::new(), watch.say)?;
    let pipeline = Pipeline::new(stages, run)?;
    Ok(Opened { pipeline, package })
}
