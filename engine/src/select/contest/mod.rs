//! Which runtime and precision run a network on the processor, where that is left open: the fastest
//! of a short measurement whose frames are near enough to those in full precision.

mod candidate;
mod floor;
mod kept;
mod network;
mod outcome;
mod quantized;
mod speed;

use std::path::{Path, PathBuf};

use self::candidate::Candidate;
use self::floor::{BATCHES, Floor, Scene};
use self::kept::Key;
use self::network::Network;
use self::outcome::{Fate, Rules, hold};
use self::quantized::Quantized;
use super::openvino::Probe;
use super::{
    BackendOptions, Contender, Opened, PrecisionChoice, ProviderChoice, Ready, Sample, SelectError,
    Watch, chain, onnxruntime, openvino,
};
use crate::backend::Backend;
use crate::file::{FileHash, shell_quoted};
use crate::frame::ModelGeometry;
use crate::verify::evenly_spaced;

/// Frames that are compared.
const FRAMES: usize = 12;
/// The first frames of a package that is streamed, from which those are: each comparison decodes all
/// of them.
const STREAMED_SPAN: usize = 250;
/// Fewer frames than this are made without a measurement: with the real network that takes about as
/// long as so many frames have to gain from one that is twice as fast.
const WORTH_MEASURING: u64 = 300;
/// What needs more than this many times the best time does not become the fastest by being set up
/// otherwise.
const REACH: f64 = 1.25;

/// Takes over from `reference`, which was opened for `model` in full precision (or as it is, where it
/// is quantized), if something else is faster and near enough. What was decided before is not measured
/// again.
///
/// # Errors
/// When the reference or the package fails, or somebody asked to stop. A candidate that fails is
/// left out.
pub(super) fn settle(
    reference: Box<dyn Backend>,
    model: &Path,
    sample: Sample<'_>,
    options: &BackendOptions,
    watch: &Watch<'_>,
) -> Result<Ready, SelectError> {
    let say = |line: &str| (watch.say)(line);
    let stay = |backend| Ready { backend, model: Some(model.to_owned()) };
    let (network, openvino) = look(model, options, watch)?;
    let (first, candidates) = network.candidates(options.backend, openvino.as_ref());
    if candidates.is_empty() {
        return Ok(stay(reference));
    }
    let key = network.key(openvino.as_ref(), sample, options)?;
    let folder = options.decisions.as_deref();
    if let Some((line, winner)) = folder.and_then(|folder| known(&key, folder)) {
        if winner == first {
            say(&line);
            return Ok(stay(reference));
        }
        // Nothing else is opened because a file in the cache folder says so.
        if candidates.contains(&winner) {
            say(&line);
            // One network in memory is enough.
            drop(reference);
            let form = network.form(winner);
            return match winner.open(form, options) {
                Ok(opened) => Ok(ready(opened, form, watch)),
                Err(error) => {
                    say(&format!("warning: not {winner}: {}", chain(&error)));
                    Ok(ready(first.open(model, options)?, model, watch))
                }
            };
        }
    }
    let few = sample.frames.is_some_and(|frames| frames < WORTH_MEASURING);
    if few || sample.assembler.features().rows() == 0 {
        let why = match few {
            true => {
                format!("others were not measured, which pays from {WORTH_MEASURING} frames on")
            }
            false => "there are no features to compare others over".to_owned(),
        };
        say(&format!("backend     {first}: {why}"));
        return Ok(stay(reference));
    }
    say("measuring   what runs this network fastest here, for a few seconds, once");
    let scene = Scene { sample, frames: frames(sample), cancelled: watch.cancelled };
    let mut floor = Floor::new(&network, scene, options, reference);
    let reference_ms = floor.reference_ms()?;
    let rules = Rules::faster(options.min_psnr_db);
    let outcome = hold(first, reference_ms, &candidates, rules, &mut floor)?;
    let (reference, best) = floor.leave();
    outcome.lines().iter().for_each(|line| say(line));
    hint_at_quantizing(&network, sample, watch);
    // What is not kept is measured again next time.
    match folder.map(|folder| key.keep(folder, &outcome)) {
        Some(Ok(())) => {}
        Some(Err(error)) => say(&format!("warning: {}", chain(&error))),
        None => say("not kept    neither HOME nor XDG_CACHE_HOME names a folder for it"),
    }
    Ok(match (best, outcome.winner()) {
        (Some(best), Some(winner)) => ready(best, network.form(winner.candidate), watch),
        _ => stay(reference),
    })
}

/// The network in the file `model`, and OpenVINO where it can be used; what cannot be used is said.
fn look<'a>(
    model: &'a Path,
    options: &BackendOptions,
    watch: &Watch<'_>,
) -> Result<(Network<'a>, Option<Probe>), SelectError> {
    let network = Network::read(model)?;
    let openvino = openvino::probe(&options.openvino);
    if let Err(why) = &openvino {
        // Whoever names a library wants it.
        if let Some(library) = &options.openvino.library {
            let (library, why) = (library.clone(), why.clone());
            return Err(SelectError::OpenVinoLibrary { library, why });
        }
        (watch.say)(&format!("backend     not openvino: {why}"));
    }
    if let Quantized::Foreign { why } = &network.quantized {
        (watch.say)(&format!("precision   not int8: {why}"));
    }
    Ok((network, openvino.ok()))
}

/// Says how a form in 8 bits is made, where there is none.
fn hint_at_quantizing(network: &Network<'_>, sample: Sample<'_>, watch: &Watch<'_>) {
    if let (Quantized::None, true) = (&network.quantized, network.can_be_quantized()) {
        (watch.say)(&format!(
            "hint        `engine-cli quantize {} --package {}` makes a form in int8, which may be \
             faster",
            shell_quoted(network.path),
            shell_quoted(sample.package)
        ));
    }
}

/// Which runtimes and precisions are near enough to `reference` and, alone and without tuning, not
/// much slower than the fastest: one of them may be the fastest once it is set up for this machine.
/// The fastest first. Errors are those of [`settle`].
pub(super) fn contenders(
    reference: Box<dyn Backend>,
    model: &Path,
    sample: Sample<'_>,
    options: &BackendOptions,
    watch: &Watch<'_>,
) -> Result<Vec<Contender>, SelectError> {
    let (network, openvino) = look(model, options, watch)?;
    let (first, mut candidates) = network.candidates(options.backend, openvino.as_ref());
    candidates.extend(network.unlikely(options.backend, openvino.as_ref()));
    let scene = Scene { sample, frames: frames(sample), cancelled: watch.cancelled };
    // Which batch is best is found out later.
    let options = &BackendOptions { largest_batch: 1, ..options.clone() };
    let mut floor = Floor::new(&network, scene, options, reference);
    let reference_ms = floor.reference_ms()?;
    let rules = Rules { min_psnr_db: options.min_psnr_db, reach: REACH };
    let outcome = hold(first, reference_ms, &candidates, rules, &mut floor)?;
    for entry in &outcome.entries {
        (watch.say)(&format!("network     {}", entry.words(outcome.min_psnr_db)));
    }
    hint_at_quantizing(&network, sample, watch);
    let mut good: Vec<(f64, Contender)> = Vec::new();
    for entry in &outcome.entries {
        let (Some(ms), Fate::Reference | Fate::Good(_)) = (entry.ms, &entry.fate) else { continue };
        let worst_psnr_db = match &entry.fate {
            Fate::Good(worst) => Some(worst.psnr_db),
            _ => None,
        };
        let form = network.form(entry.candidate);
        let quantized = form != model;
        good.push((ms, entry.candidate.contender(form, quantized, worst_psnr_db)));
    }
    good.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fastest_ms = good.first().map_or(f64::INFINITY, |(ms, _)| *ms);
    good.retain(|(ms, _)| *ms <= REACH * fastest_ms);
    Ok(good.into_iter().map(|(_, contender)| contender).collect())
}

/// Compares what `backend` makes of frames of `sample` with the network `model` in full precision:
/// the signal-to-noise ratio of the worst. For a precision that somebody named.
pub(super) fn judge(
    backend: &mut dyn Backend,
    model: &Path,
    sample: Sample<'_>,
    options: &BackendOptions,
    watch: &Watch<'_>,
) -> Result<(u64, f64), SelectError> {
    let precision = PrecisionChoice::Fp32;
    let options = BackendOptions { precision, ..options.clone() };
    let mut reference = onnxruntime(model, ProviderChoice::Cpu, &options)?.backend;
    let scene = Scene { sample, frames: frames(sample), cancelled: watch.cancelled };
    let [alone, together] = BATCHES;
    let expected = scene.composite(&mut *reference, alone)?;
    let found = scene.composite(backend, together)?;
    let quality = expected.compare(&found)?.overall;
    Ok((quality.worst_frame, quality.worst_psnr_db))
}

/// What identifies a network, and what lies beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// What identifies its file.
    pub network: FileHash,
    /// Its quantized form, and what identifies that; `None` where there is none.
    pub quantized: Option<(PathBuf, FileHash)>,
    /// What is wrong with the file that lies where that should be; `None` where nothing is.
    pub not_quantized: Option<String>,
    /// Its sizes.
    pub geometry: ModelGeometry,
}

/// Reads the network in the ONNX file `model`, and its quantized form if one lies beside it.
///
/// # Errors
/// When the file is not there, or holds no network that the engine can feed.
pub fn identify(model: &Path) -> Result<Identity, SelectError> {
    let Network { hash, quantized, geometry, .. } = Network::read(model)?;
    let (quantized, not_quantized) = match quantized {
        Quantized::Fits { path, hash } => (Some((path, hash)), None),
        Quantized::Foreign { why } => (None, Some(why)),
        Quantized::None => (None, None),
    };
    Ok(Identity { network: hash, quantized, not_quantized, geometry })
}

/// What was decided before, and the line that says so.
fn known(key: &Key, folder: &Path) -> Option<(String, Candidate)> {
    let outcome = key.find(folder)?;
    let line = format!("{}; measured before", outcome.lines().first()?);
    Some((line, outcome.winner()?.candidate))
}

/// The frames that are compared.
fn frames(sample: Sample<'_>) -> Vec<u64> {
    let rows = usize::try_from(sample.assembler.features().frames()).unwrap_or(usize::MAX);
    let span = if sample.store.in_ram() { rows } else { rows.min(STREAMED_SPAN) };
    evenly_spaced(sample.store.package().frame_count().min(span), FRAMES)
}

/// The winner, with what is to be said about it.
fn ready(opened: Opened, model: &Path, watch: &Watch<'_>) -> Ready {
    opened.remarks.iter().for_each(|remark| (watch.say)(remark));
    Ready { backend: opened.backend, model: Some(model.to_owned()) }
}
