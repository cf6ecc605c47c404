//! `engine-cli quantize`.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use engine::backend::{OnnxRuntimeOptions, find_onnxruntime};
use engine::file::{WholeFile, shell_quoted};
use engine::pipeline::cores;
use engine::quantize::{QuantizeOptions, Quantized, Stage, quantize};
use engine::select::is_engine;

use crate::args::QuantizeArgs;
use crate::network::{network_file, package_around};
use crate::output::note;
use crate::outputs::Files;
use crate::progress::Progress;
use crate::{Outcome, interrupt};

/// Layers that are named one by one in the summary.
const NAMED: usize = 8;

pub(crate) fn run(args: &QuantizeArgs) -> Result<Outcome> {
    // Before the work is begun: without its handler Ctrl-C ends the program at once.
    interrupt::token();
    let model = network_file(&args.model)?;
    if !model.exists() {
        bail!("{}: no such file; expected an ONNX file, or a package", model.display());
    }
    if is_engine(&model) {
        bail!("{}: is an engine; expected the ONNX file that it was made from", model.display());
    }
    let output = args.output.clone().unwrap_or_else(|| model.with_extension("int8.onnx"));
    let package = match &args.package {
        Some(package) => package.clone(),
        None => package_around(&model).with_context(|| {
            format!("{}: lies in no avatar package; name one with --package", model.display())
        })?,
    };
    Files::default()
        .read("the network itself", Some(&model))
        .package(Some(&package))
        .makes_quantized()
        .written("-o", Some(&output))
        .check()?;
    // Nobody should wait for what cannot be written.
    drop(WholeFile::create(&output)?);
    let options = QuantizeOptions {
        package,
        inputs: args.inputs,
        frames: args.frames as usize,
        min_psnr_db: args.min_psnr,
        onnxruntime: OnnxRuntimeOptions {
            library: find_onnxruntime(args.ort_lib.as_deref())?,
            threads: args.threads.map_or_else(cores, usize::from),
        },
    };
    note!("network     {}", model.display());
    note!("package     {}", options.package.display());
    let shown = RefCell::new(Shown::default());
    let quantized = quantize(&model, &options, &|stage, done, total| {
        shown.borrow_mut().set(stage, done, total);
        interrupt::token().is_cancelled()
    })?;
    drop(shown);
    quantized.model.save(&output)?;
    summarise(&quantized, &model, &output, &options)?;
    Ok(Outcome::Done)
}

/// The progress of what is being done at the moment.
#[derive(Default)]
struct Shown(Option<(Stage, Progress)>);

impl Shown {
    fn set(&mut self, stage: Stage, done: usize, total: usize) {
        if self.0.as_ref().is_none_or(|(shown, _)| *shown != stage) {
            // The bar before has to be gone first.
            self.0 = None;
            let (what, unit) = match stage {
                Stage::Calibrating => ("calibrating", "frames"),
                Stage::Probing => ("trying each layer alone", "layers"),
                Stage::Judging => ("comparing frames", "networks"),
            };
            self.0 = Some((stage, Progress::new(what, unit, total as u64, false)));
        }
        if let Some((_, progress)) = &mut self.0 {
            progress.set(done as u64);
        }
    }
}

fn summarise(
    quantized: &Quantized,
    model: &Path,
    output: &Path,
    options: &QuantizeOptions,
) -> Result<()> {
    let Quantized { layers, kept, calibrated, all, quality, .. } = quantized;
    // Frame 0 is calibrated on, so that it judges only where there is no other.
    let judged = match (quality.frames, quality.worst_frame) {
        (_, 0) => "the same one, since the package has no other".to_owned(),
        (1, _) => "another one".to_owned(),
        (frames, _) => format!("{frames} others"),
    };
    note!("calibrated  on {calibrated} frames, judged by {judged}");
    note!("all layers  {all}");
    if !kept.is_empty() {
        note!("in floats   {} of {layers} layers, so that every frame has", kept.len());
        note!(
            "            {} dB or more; the most sensitive for its cost first:",
            options.min_psnr_db
        );
        for layer in kept.iter().take(NAMED) {
            note!("            {}, alone {:.1} dB", layer.name, -10.0 * layer.error.log10());
        }
        if let Some(more) = kept.len().checked_sub(NAMED).filter(|more| *more > 0) {
            note!("            and {more} more");
        }
        note!("            the others in 8 bits: {quality}");
    }
    note!("for TensorRT, in int8 around 0: {}", quantized.symmetric);
    let megabytes = |path: &Path| -> Result<f64> {
        let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
        Ok(metadata.len() as f64 / 1e6)
    };
    note!(
        "wrote       {}: {} of {layers} layers in 8 bits, {:.1} MB instead of {:.1}",
        output.display(),
        layers - kept.len(),
        megabytes(output)?,
        megabytes(model)?
    );
    let package = shell_quoted(&options.package);
    note!("next: engine-cli render {package} -o out.mp4 --model {}", shell_quoted(output));
    Ok(())
}
