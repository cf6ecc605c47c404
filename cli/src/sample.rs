//! `engine-cli sample`, and the sample package that `bench` makes for itself.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::frame::ModelGeometry;
use engine::sample::{Batch, Form, NetworkKind, SampleOptions, is_current, write_package};
use engine::sink::ImageFormat;

use crate::args::{NetworkChoice, SampleArgs};
use crate::output::note;
use crate::progress::Progress;
use crate::{Outcome, bench, interrupt};

pub(crate) fn run(args: &SampleArgs) -> Result<Outcome> {
    let geometry = ModelGeometry::new(args.side).with_context(|| {
        format!("--side is {}; expected 16 to {}", args.side, ModelGeometry::MAX_SIDE)
    })?;
    let options = SampleOptions {
        frames: usize::try_from(args.frames)?,
        size: args.size,
        side: geometry.side(),
        form: args.images.map_or_else(default_form, Form::Images),
        network: match args.network {
            NetworkChoice::Unet => NetworkKind::Unet,
            NetworkChoice::Probe => NetworkKind::Probe,
            NetworkChoice::Demo => NetworkKind::Demo,
        },
        batch: args.fixed_batch.map_or(Batch::Symbolic, |n| Batch::Fixed(usize::from(n))),
        seed: args.seed,
        rects: args.rects.clone(),
    };
    write(&args.folder, &options)?;
    note!("wrote {}: {} frames of {}", args.folder.display(), args.frames, args.size);
    let folder = args.folder.display();
    note!("next: engine-cli render {folder} -o frames --audio {folder}/speech.wav");
    Ok(Outcome::Done)
}

/// Videos need OpenCV; without it the frames are files.
fn default_form() -> Form {
    match cfg!(feature = "opencv") {
        true => Form::Videos,
        false => Form::Images(ImageFormat::Png),
    }
}

/// The package that `bench` uses when none is named, made on first use.
pub(crate) fn cached() -> Result<PathBuf> {
    let options = SampleOptions { form: default_form(), ..SampleOptions::default() };
    let form = if options.form == Form::Videos { "videos" } else { "images" };
    let folder = bench::cache_folder()?.join(format!("sample-{form}"));
    if is_current(&folder, &options) {
        note!("no --package: using the sample package in {}", folder.display());
    } else {
        note!("no --package: writing a sample package to {}", folder.display());
        write(&folder, &options)?;
    }
    Ok(folder)
}

fn write(folder: &Path, options: &SampleOptions) -> Result<()> {
    let mut progress = Progress::new("drawing", "frames", options.frames as u64, false);
    let cancel = interrupt::token();
    write_package(folder, options, |done| {
        progress.set(done as u64);
        if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(())
}
