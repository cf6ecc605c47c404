//! `engine-cli inspect`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use engine::backend::ModelSpec;
use engine::composite::{Compositor, CompositorChoice, Interpolation};
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::frame::ModelGeometry;
use engine::onnx::Model;
use engine::pipeline::cores;
use engine::select::identify;

use crate::Outcome;
use crate::args::InspectArgs;
use crate::output::line;
use crate::progress::Progress;
use crate::setup::default_geometry;

pub(crate) fn run(args: &InspectArgs) -> Result<Outcome> {
    let path = &args.path;
    if path.is_dir() {
        package(path)?;
    } else if path.exists() {
        model(path)?;
    } else {
        bail!(
            "{}: no such file or folder; expected a package folder or an ONNX file",
            path.display()
        );
    }
    Ok(Outcome::Done)
}

fn model(path: &Path) -> Result<ModelGeometry> {
    let model = Model::load(path)?;
    line(format!("model       {}", path.display()))?;
    line(format!("producer    {}", model.producer()))?;
    let opset = model.opset().map_or_else(|| "none".to_owned(), |opset| opset.to_string());
    line(format!("opset       {opset}"))?;
    line(format!("nodes       {}", model.node_count()))?;
    line(format!("parameters  {:.2} M", model.parameter_count() as f64 / 1e6))?;
    for (role, tensors) in [("input", model.inputs()), ("output", model.outputs())] {
        for tensor in tensors {
            line(format!("{role:<11} {tensor}"))?;
        }
    }
    let spec = ModelSpec::declared(path, &model)?;
    let geometry = spec.geometry();
    line(format!(
        "fits        side {}, crops of {}, batch {}",
        geometry.side(),
        geometry.crop_side(),
        spec.batch_limit()
    ))?;
    Ok(geometry)
}

fn package(root: &Path) -> Result<()> {
    let found = Package::find_model(root)?;
    let geometry = match &found {
        Some(path) => {
            let geometry = model(path)?;
            let identity = identify(path)?;
            if let Some((form, _)) = &identity.quantized {
                line(format!("quantized   {}", form.display()))?;
            }
            if let Some(why) = identity.not_quantized {
                bail!("the network's quantized form is not usable: {why}");
            }
            geometry
        }
        None => {
            let geometry = default_geometry()?;
            let crops = geometry.crop_side();
            line(format!("model       none in the package; taking crops of {crops} for granted"))?;
            geometry
        }
    };

    // Stored inputs are optional; say which forms of input the package can serve.
    let stored = Package::open(root, geometry, Inputs::Package);
    let package = match &stored {
        Ok(package) => package,
        Err(_) => &Package::open(root, geometry, Inputs::Derived)?,
    };
    line(format!("package     {} ({})", root.display(), package.name()))?;
    line(format!(
        "frames      {} {} of {} at {} frames/s, {:.0} MB decoded",
        package.frame_count(),
        package.form(),
        package.frame_size(),
        package.fps(),
        package.decoded_bytes() as f64 / 1e6
    ))?;
    line(match &stored {
        Ok(_) => "inputs      package, derived".to_owned(),
        Err(error) => format!("inputs      derived only ({error})"),
    })?;
    let widths = package.rects().iter().map(|rect| rect.size().width);
    line(format!(
        "rectangles  {} of {} to {} pixels wide, all inside the frame",
        package.rects().len(),
        widths.clone().min().unwrap_or(0),
        widths.max().unwrap_or(0)
    ))?;
    Compositor::new(
        CompositorChoice::Auto,
        Interpolation::Linear,
        geometry,
        package.frame_size(),
        package.rects(),
    )?;
    let features = package.features()?;
    line(format!(
        "features    {} rows of 512: {:.2} s at 25 frames/s",
        features.rows(),
        features.rows() as f64 / 25.0
    ))?;
    decode_all(package)?;
    line("verdict     nothing wrong was found, every frame decodes")
}

/// Decodes each frame once, since what is cut short or damaged shows only then.
fn decode_all(package: &Package) -> Result<()> {
    let options = StoreOptions { mode: StoreMode::Stream, ram_budget: 0, decode_threads: cores() };
    let store = FrameStore::open(Arc::new(package.clone()), &options, &mut |_, _| ())?;
    let frames = package.frame_count() as u64;
    let mut progress = Progress::new("decoding", "frames", frames, false);
    for sample in store.source(0..frames, 1)? {
        progress.set(sample?.index + 1);
    }
    Ok(())
}
