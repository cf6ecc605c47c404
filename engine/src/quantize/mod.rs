//! A network in 8 bits that predicts nearly what it did in floats: calibrated on the frames of a
//! package, and with as many layers left in floats as that takes.
//!
//! 1. The ranges of all tensors are collected over frames of the package, and each gets the scale
//!    with the smallest mean squared error. The same is done with narrow channels made as wide as
//!    their tensors ([`Quantizable::equalized`]); the form whose frames are better is taken.
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
mod judge;
mod network;
mod scene;
mod search;
mod sensitivity;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use crate::backend::{BackendError, ModelSpec, OnnxRuntimeOptions};
use crate::dataset::Inputs;
use crate::file::FileHash;
use crate::onnx::Model;
use crate::onnx::proto::StringStringEntryProto;
use crate::onnx::quantize::{QUANTIZED_FROM, Quantizable, to_symmetric};
use crate::quality::Quality;

use calibrate::Ranges;
pub use error::QuantizeError;
use judge::Judge;
use network::Network;
use scene::Scene;

/// Frames that ranges are collected over, where nobody says.
pub const DEFAULT_FRAMES: usize = 32;
/// Frames that the network is judged by; never more than it is calibrated on.
const JUDGED: usize = 8;
/// What the worst frame has to have beyond what was asked for, in dB: frames that did not decide, and
/// other runtimes, may be a little further off.
pub(crate) const MARGIN_DB: f64 = 0.5;
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
    /// What the worst frame has to have, in dB. Those that decide are held to half a decibel more.
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
    /// are from 0 to 1; where it was measured for several at once, its share.
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
    /// The difference as TensorRT will compute it, in int8 around 0 ([`to_symmetric`]).
    pub symmetric: Quality,
}

/// Is told of each step: what is being done, how many are done, and of how many at most. Returning
/// true ends the work.
pub type Watch<'a> = dyn Fn(Stage, usize, usize) -> bool + 'a;

/// Quantizes the network in the file `path`.
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
    watch: &Watch<'_>,
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

    let scene = Scene::open(options, spec.geometry())?;
    let inputs = scene.inputs(spec.geometry())?;
    let calibrate = |network: &Quantizable| {
        calibrate::ranges(network, &inputs, open, watch).map_err(|error| error.in_file(path))
    };
    let ranges = calibrate(&network)?;
    let equalized = network.equalized(&ranges.channels).map_err(refuse)?;
    let other = calibrate(&equalized)?;

    let layers = network.layers().len();
    // The float network, two forms of all layers, the one that TensorRT gets, and the search.
    let most = 4 + search::most_calls(layers);
    let judged = Cell::new(0);
    let cancelled = || watch(Stage::Judging, judged.get(), most);
    let judge = Judge::new(&scene, &options.onnxruntime, network.model(), &cancelled)?;
    judged.set(1);
    let rewrite = |network: &Quantizable, ranges: &Ranges, quantized: &[bool]| {
        network.rewrite(quantized, &ranges.activations).map_err(refuse)
    };
    let evaluate = |network: &Quantizable, ranges: &Ranges, quantized: &[bool]| {
        let model = rewrite(network, ranges, quantized)?;
        let quality = judge.quality(&model, &cancelled)?;
        judged.set(judged.get() + 1);
        Ok::<_, QuantizeError>((model, quality))
    };
    let mut forms = Vec::new();
    for (network, ranges) in [(equalized, other), (network, ranges)] {
        let (model, quality) = evaluate(&network, &ranges, &vec![true; layers])?;
        forms.push((network, ranges, model, quality));
    }
    // Of equally good ones the first.
    forms.sort_by(|a, b| b.3.worst_psnr_db.total_cmp(&a.3.worst_psnr_db));
    let (network, ranges, model, all) = forms.swap_remove(0);
    drop(forms);

    let finish = |model: Model, kept: Vec<KeptLayer>, quality: Quality| {
        let mut other = model.clone();
        to_symmetric(&mut other);
        let symmetric = judge.quality(&other, &cancelled)?;
        let calibrated = inputs.len();
        let model = labelled(model, &source, calibrated, &kept, &quality);
        let source = source.clone();
        Ok(Quantized { model, source, layers, kept, calibrated, all, quality, symmetric })
    };
    let floor_db = options.min_psnr_db + MARGIN_DB;
    if all.worst_psnr_db >= floor_db {
        return finish(model, Vec::new(), all);
    }
    drop(model);

    let probes = &inputs[..inputs.len().min(PROBED)];
    let allowed = 10.0_f64.powf(-floor_db / 10.0);
    let some = |quantized: &[bool]| rewrite(&network, &ranges, quantized);
    let errors = sensitivity::errors(&network, probes, allowed, some, open, watch)?;
    let costs = sensitivity::costs(network.layers(), &ranges.lengths);
    let order = sensitivity::order(&errors, &costs, allowed);
    let mut best = None;
    search::fewest(layers, |kept| {
        let mut quantized = vec![true; layers];
        order[..kept].iter().for_each(|layer| quantized[*layer] = false);
        let (model, quality) = evaluate(&network, &ranges, &quantized)?;
        let good = quality.worst_psnr_db >= floor_db;
        if good {
            best = Some((kept, model, quality));
        }
        Ok::<_, QuantizeError>(good)
    })?;
    let (kept, model, quality) = best.ok_or_else(|| QuantizeError::NothingLeft {
        path: path.to_owned(),
        layers,
        worst_db: all.worst_psnr_db,
        min_psnr_db: options.min_psnr_db,
    })?;
    let name = |layer: usize| network.layers()[layer].name.clone();
    let kept = order[..kept].iter();
    let kept = kept.map(|&layer| KeptLayer { name: name(layer), error: errors[layer] }).collect();
    finish(model, kept, quality)
}

fn watch_for(
    watch: &Watch<'_>,
    stage: Stage,
    done: usize,
    total: usize,
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
