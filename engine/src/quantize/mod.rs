//! A network in 8 bits that predicts nearly what it did in floats: calibrated on the frames of a
//! package, and with as many layers left in floats as that takes.
//!
//! 1. The ranges of all tensors are collected over frames of the package, and each gets the scale
//!    with the smallest mean squared error.
//! 2. With all layers in 8 bits, frames that were not calibrated on are composited and compared with
//!    those of the float network, inside their rectangles.
//! 3. While the worst is below the floor, layers go back to floats in the order of what each alone
//!    does to the prediction for what it costs; how many is found by doubling and bisecting.
//!
//! Everything runs on ONNX Runtime on the CPU, whose quantized convolutions need the vector
//! instructions for 8-bit products (AVX512-VNNI, AVX-VNNI, or those of ARM) to be exact: older x86
//! processors saturate sums of two products, which the comparison then sees.

mod calibrate;
mod error;
mod frames;
mod inputs;
mod network;
mod search;
mod sensitivity;

use std::path::{Path, PathBuf};

use crate::backend::{BackendError, ModelSpec, OnnxRuntimeOptions};
use crate::dataset::Inputs;
use crate::file::FileHash;
use crate::metrics::Quality;
use crate::onnx::Model;
use crate::onnx::proto::StringStringEntryProto;
use crate::onnx::quantize::{QUANTIZED_FROM, Quantizable};

pub use error::QuantizeError;
use frames::Judge;
use network::Network;

/// Frames that ranges are collected over, where nobody says.
pub const DEFAULT_FRAMES: usize = 32;
/// Peak signal-to-noise ratio of the worst composited frame that is asked for, in dB, where nobody
/// says.
pub const DEFAULT_MIN_PSNR_DB: f64 = 40.0;
/// Frames that the network is judged by; never more than it is calibrated on.
const JUDGED: usize = 8;
/// Frames that what each layer alone does is measured over.
const PROBED: usize = 2;

/// What to calibrate on, and how good the result has to be.
#[derive(Clone, Debug)]
pub struct QuantizeOptions {
    /// The package's folder.
    pub package: PathBuf,
    /// Which of its inputs.
    pub inputs: Inputs,
    /// Frames to collect ranges over, evenly spaced; at least 1. A package with fewer than that and
    /// those it is judged by gives what it has.
    pub frames: usize,
    /// What the worst frame has to reach, in dB.
    pub min_psnr_db: f64,
    /// The runtime.
    pub onnxruntime: OnnxRuntimeOptions,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Running frames to see which values tensors take.
    Calibrating,
    /// Quantizing each layer alone to see what that does.
    Probing,
    /// Comparing networks that have some layers in floats.
    Judging,
}

/// A layer that stays in floats.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptLayer {
    /// Its name.
    pub name: String,
    /// Mean squared difference that 8 bits in this layer alone make to the prediction, whose values
    /// are from 0 to 1.
    pub error: f64,
}

/// A quantized network, not yet written, and what is known about it.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// The network, with its origin in its `metadata_props`.
    pub model: Model,
    /// The file it was made from.
    pub source: FileHash,
    /// Number of layers that could compute in 8 bits.
    pub layers: usize,
    /// Those that do not, in the order in which they went back to floats.
    pub kept: Vec<KeptLayer>,
    /// Frames that ranges were collected over.
    pub calibrated: usize,
    /// The difference with all layers in 8 bits.
    pub all: Quality,
    /// The difference as it is.
    pub quality: Quality,
}

/// Quantizes the network in the file `path`. `watch` is told of each step: what, how many are done,
/// and of how many where that is known; it ends the work by returning true.
///
/// The same inputs give the same bytes on one machine; on another, whose kernels round differently,
/// they may not.
///
/// # Errors
/// When the network cannot be quantized, the package does not fit it, the runtime fails, no layer can
/// compute in 8 bits at that floor, or `watch` ended the work.
pub fn quantize(
    path: &Path,
    options: &QuantizeOptions,
    watch: &mut dyn FnMut(Stage, usize, Option<usize>) -> bool,
) -> Result<Quantized, QuantizeError> {
    let data = Model::read(path).map_err(BackendError::from)?;
    let model = Model::decode(path, &data).map_err(BackendError::from)?;
    let spec = ModelSpec::declared(path, &model)?;
    let source = FileHash::of(&data);
    drop(data);
    if let Some(tensor) = model.external_tensor() {
        let (path, tensor) = (path.to_owned(), tensor.to_owned());
        return Err(QuantizeError::External { path, tensor });
    }
    let refuse = |source| QuantizeError::Graph { path: path.to_owned(), source };
    let network = Quantizable::new(model).map_err(refuse)?;
    let open = |model: &Model, fast: bool| Network::open(model, &spec, &options.onnxruntime, fast);

    let chosen = inputs::choose(options, spec.geometry())?;
    let calibrated = chosen.calibrated.len();
    let ranges = calibrate::ranges(&network, &chosen.calibrated, open, watch)
        .map_err(|error| error.in_file(path))?;
    let rewrite =
        |quantized: &[bool]| network.rewrite(quantized, &ranges.activations).map_err(refuse);

    watch_for(watch, Stage::Judging, 0, None)?;
    let mut original = open(network.model(), true)?;
    let judge = Judge::new(&chosen, &mut original)?;
    drop(original);
    let count = network.layers().len();
    let mut judged = 0;
    let mut quality_of = |quantized: &[bool],
                          watch: &mut dyn FnMut(Stage, usize, Option<usize>) -> bool|
     -> Result<(Model, Quality), QuantizeError> {
        watch_for(watch, Stage::Judging, judged, None)?;
        judged += 1;
        let model = rewrite(quantized)?;
        let quality = judge.quality(&mut open(&model, true)?)?;
        Ok((model, quality))
    };

    let (model, all) = quality_of(&vec![true; count], watch)?;
    if all.worst_psnr_db >= options.min_psnr_db {
        let kept = Vec::new();
        let model = labelled(model, &source, calibrated, &kept, &all);
        return Ok(Quantized { model, source, layers: count, kept, calibrated, quality: all, all });
    }
    let probes = &chosen.calibrated[..chosen.calibrated.len().min(PROBED)];
    let errors = sensitivity::errors(&network, probes, rewrite, open, watch)?;
    let order = sensitivity::order(&errors, &sensitivity::costs(network.layers(), &ranges.lengths));
    let without = |kept: usize| {
        let mut quantized = vec![true; count];
        order[..kept].iter().for_each(|layer| quantized[*layer] = false);
        quantized
    };
    let mut best = None;
    let kept = search::fewest(count, |kept| {
        let (model, quality) = quality_of(&without(kept), watch)?;
        let good = quality.worst_psnr_db >= options.min_psnr_db;
        if good {
            best = Some((kept, model, quality));
        }
        Ok::<_, QuantizeError>(good)
    })?;
    let found = best.filter(|(number, ..)| Some(*number) == kept);
    let Some((kept, model, quality)) = found else {
        return Err(QuantizeError::NothingLeft {
            path: path.to_owned(),
            layers: count,
            worst_db: all.worst_psnr_db,
            min_psnr_db: options.min_psnr_db,
        });
    };
    let name = |layer: usize| network.layers()[layer].name.clone();
    let kept: Vec<KeptLayer> = (order[..kept].iter())
        .map(|&layer| KeptLayer { name: name(layer), error: errors[layer] })
        .collect();
    let model = labelled(model, &source, calibrated, &kept, &quality);
    Ok(Quantized { model, source, layers: count, kept, calibrated, all, quality })
}

fn watch_for(
    watch: &mut dyn FnMut(Stage, usize, Option<usize>) -> bool,
    stage: Stage,
    done: usize,
    total: Option<usize>,
) -> Result<(), QuantizeError> {
    match watch(stage, done, total) {
        true => Err(QuantizeError::Cancelled),
        false => Ok(()),
    }
}

/// The network with what it was made of in its metadata.
fn labelled(
    mut model: Model,
    source: &FileHash,
    calibrated: usize,
    kept: &[KeptLayer],
    quality: &Quality,
) -> Model {
    let kept: Vec<&str> = kept.iter().map(|layer| &layer.name[..]).collect();
    let entries = [
        (QUANTIZED_FROM, source.sha256.clone()),
        ("engine.calibration_frames", calibrated.to_string()),
        ("engine.float_layers", kept.join(" ")),
        ("engine.worst_psnr_db", format!("{:.2}", quality.worst_psnr_db)),
    ];
    let props = &mut model.proto_mut().metadata_props;
    props.retain(|entry| entries.iter().all(|(key, _)| entry.key() != *key));
    props.extend(entries.map(|(key, value)| StringStringEntryProto {
        key: Some(key.to_owned()),
        value: Some(value),
    }));
    model
}
