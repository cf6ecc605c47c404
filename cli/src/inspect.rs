//! `engine-cli inspect`.

use std::path::Path;

use anyhow::{Result, bail};
use engine::composite::{Compositor, CompositorChoice, Interpolation};
use engine::dataset::{Inputs, Package};
use engine::frame::ModelGeometry;
use engine::onnx::Model;

use crate::Outcome;
use crate::args::InspectArgs;
use crate::setup::declared_geometry;

pub(crate) fn run(args: &InspectArgs) -> Result<Outcome> {
    let path = &args.path;
    if path.is_dir() {
        package(path)?;
    } else if path.is_file() {
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
    println!("model       {}", path.display());
    println!("producer    {}", model.producer());
    println!("opset       {}", model.opset().map_or_else(|| "none".to_owned(), |n| n.to_string()));
    println!("nodes       {}", model.node_count());
    println!("parameters  {:.2} M", model.parameter_count() as f64 / 1e6);
    for (role, tensors) in [("input", model.inputs()), ("output", model.outputs())] {
        for tensor in tensors {
            println!("{role:<11} {tensor}");
        }
    }
    let geometry = declared_geometry(path)?;
    println!("fits        side {}, crops of {}", geometry.side(), geometry.crop_side());
    Ok(geometry)
}

fn package(root: &Path) -> Result<()> {
    let found = Package::find_model(root)?;
    let geometry = match &found {
        Some(path) => Some(model(path)?),
        None => {
            println!("model       none in the package; taking crops of 328 for granted");
            ModelGeometry::new(320)
        }
    };
    let Some(geometry) = geometry else { bail!("the default side is out of range") };

    // Stored inputs are optional; say which forms of input the package can serve.
    let stored = Package::open(root, geometry, Inputs::Package);
    let package = match &stored {
        Ok(package) => package,
        Err(_) => &Package::open(root, geometry, Inputs::Derived)?,
    };
    println!("package     {} ({})", root.display(), package.name());
    println!(
        "frames      {} {} of {} at {} frames/s, {:.0} MB decoded",
        package.frame_count(),
        package.form(),
        package.frame_size(),
        package.fps(),
        package.decoded_bytes() as f64 / 1e6
    );
    match &stored {
        Ok(_) => println!("inputs      package, derived"),
        Err(error) => println!("inputs      derived only ({error})"),
    }
    let widths = package.rects().iter().map(|rect| rect.size().width);
    println!(
        "rectangles  {} of {} to {} pixels wide, all inside the frame",
        package.rects().len(),
        widths.clone().min().unwrap_or(0),
        widths.max().unwrap_or(0)
    );
    Compositor::new(
        CompositorChoice::Auto,
        Interpolation::Linear,
        geometry,
        package.frame_size(),
        package.rects(),
    )?;
    let features = package.features()?;
    println!(
        "features    {} rows of 512: {:.2} s at 25 frames/s",
        features.rows(),
        features.rows() as f64 / 25.0
    );
    println!("verdict     nothing wrong was found");
    Ok(())
}
