//! What the benchmarks share: a small package of real size, and stages over it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use engine::backend::Simulated;
use engine::batch::Assembler;
use engine::composite::{Compositor, CompositorChoice, Interpolation};
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::frame::ModelGeometry;
use engine::pipeline::Stages;
use engine::sample::{Form, NetworkKind, SampleOptions, write_package};
use engine::sink::ImageFormat;

/// Any error; benchmarks only report it.
pub type Error = Box<dyn std::error::Error>;

/// Writes an unpacked package of eight 1280x720 frames into `folder` and opens it for a network of
/// side 320.
///
/// # Errors
/// When it cannot be written or read back.
pub fn package(folder: &Path, inputs: Inputs) -> Result<Arc<Package>, Error> {
    let options = SampleOptions {
        frames: 8,
        form: Form::Images(ImageFormat::Png),
        network: NetworkKind::Probe,
        ..SampleOptions::default()
    };
    write_package(folder, &options, |_| ControlFlow::Continue(()))?;
    let geometry = ModelGeometry::new(options.side).ok_or("the side is in range")?;
    Ok(Arc::new(Package::open(folder, geometry, inputs)?))
}

/// Stages with all frames in RAM and a simulated device of `ms_per_frame`, for runs of up to
/// `frames` frames.
///
/// # Errors
/// When the package cannot be read.
pub fn stages(package: &Arc<Package>, ms_per_frame: f64, frames: usize) -> Result<Stages, Error> {
    let options = StoreOptions { mode: StoreMode::Ram, ram_budget: 1 << 30, decode_threads: 2 };
    Ok(Stages {
        store: FrameStore::open(Arc::clone(package), &options, &mut |_, _| ())?,
        assembler: Assembler::new(package.features()?.repeat_to(frames)),
        backend: Box::new(Simulated::new(package.geometry(), ms_per_frame)?),
        compositor: Compositor::new(
            CompositorChoice::Auto,
            Interpolation::Linear,
            package.geometry(),
            package.frame_size(),
            package.rects(),
        )?,
        frame: package.frame_size(),
        rects: package.rects().to_vec(),
    })
}
