//! `engine-cli compare`.

mod report;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use engine::backend::ModelSpec;
use engine::batch::Assembler;
use engine::dataset::{FrameStore, Package, StoreMode, StoreOptions};
use engine::file::WholeFile;
use engine::frame::ModelGeometry;
use engine::onnx::Model;
use engine::pipeline::cores;
use engine::quality::{CompositedFrames, Excerpt, Picture, composite};
use engine::select::{
    self, BackendOptions, OpenVinoSettings, PrecisionChoice, ProviderChoice, Watch, is_engine,
};
use engine::verify::evenly_spaced;

use crate::args::{BackendChoice, CompareArgs};
use crate::backend::watched;
use crate::outputs::Files;
use crate::progress::{Progress, with_preload_bar};
use crate::{Outcome, interrupt, output};
use report::{Report, Side};

/// Memory for the package's frames; more are decoded anew for each network.
const RAM_BUDGET: u64 = 1 << 30;

pub(crate) fn run(args: &CompareArgs) -> Result<Outcome> {
    // Before a file is begun: without its handler Ctrl-C ends the program at once.
    interrupt::token();
    check_outputs(args)?;
    check_sizes(&args.reference, &args.candidate)?;
    let report = watched(false, |watch| judge(args, watch))?;
    output::line(report.table(usize::from(args.worst)))?;
    report.verdict()?;
    Ok(Outcome::Done)
}

/// Finds out before anything is run whether the files can be written.
fn check_outputs(args: &CompareArgs) -> Result<()> {
    if let Some(other) =
        args.picture.as_deref().filter(|file| file.extension() != Some("png".as_ref()))
    {
        bail!("--picture is {}; expected a name that ends in .png", other.display());
    }
    Files::default()
        .package(Some(&args.package))
        .read("the reference", Some(&args.reference))
        .read("the candidate", Some(&args.candidate))
        .written("--picture", args.picture.as_deref())
        .written("--json", args.json.as_deref())
        .check()?;
    for path in [&args.picture, &args.json].into_iter().flatten() {
        WholeFile::create(path)?;
    }
    Ok(())
}

/// Refuses files that cannot be run or compared before anything is. What an engine is, only TensorRT
/// knows.
fn check_sizes(reference: &Path, candidate: &Path) -> Result<()> {
    let side = |path: &Path| -> Result<Option<usize>> {
        if is_engine(path) {
            return Ok(None);
        }
        let spec = ModelSpec::declared(path, &Model::load(path)?)?;
        Ok(Some(spec.geometry().side()))
    };
    match (side(reference)?, side(candidate)?) {
        (Some(a), Some(b)) if a != b => bail!(
            "the networks differ in size: {} is for {a} x {a} pixels, {} for {b} x {b}; expected two \
             forms of one network",
            reference.display(),
            candidate.display()
        ),
        _ => Ok(()),
    }
}

/// Runs one network, then the other, so that only one of them is in memory.
fn judge(args: &CompareArgs, watch: &Watch<'_>) -> Result<Report> {
    let mut candidate_options = args.backend.options(CANDIDATE_BATCH);
    // The comparison that they are spared is this one.
    candidate_options.tensorrt.verify = false;
    let reference_options = reference_options(args, &candidate_options);

    let mut scene = None;
    let reference =
        frames(args, Part::Reference, &args.reference, &reference_options, &mut scene, watch)?;
    let candidate =
        frames(args, Part::Candidate, &args.candidate, &candidate_options, &mut scene, watch)?;
    let quality = reference.frames.compare(&candidate.frames)?;
    let report = Report::new(args, reference.side, candidate.side, quality);
    if let Some(path) = &args.json {
        let mut text = serde_json::to_string_pretty(&report).context("encoding the results")?;
        text.push('\n');
        WholeFile::replace(path, text.as_bytes())?;
    }
    if let Some(path) = &args.picture {
        let worst = report.worst(usize::from(args.worst));
        Picture::new(&reference.frames, &candidate.frames, &worst).save(path)?;
    }
    Ok(report)
}

/// Frames that the reference takes at one time.
const REFERENCE_BATCH: usize = 1;
/// Frames that the candidate takes at one time where it can, so that frames which a batch mixes up
/// show.
const CANDIDATE_BATCH: usize = 2;

/// ONNX Runtime on the processor in full precision, unless the reference is an engine or something
/// else was asked for.
fn reference_options(args: &CompareArgs, candidate: &BackendOptions) -> BackendOptions {
    let default = match is_engine(&args.reference) {
        true => BackendChoice::Tensorrt,
        false => BackendChoice::Onnxruntime,
    };
    let backend = args.reference_backend.unwrap_or(default);
    let precision = match backend {
        BackendChoice::Simulated => PrecisionChoice::Auto,
        _ => PrecisionChoice::Fp32,
    };
    BackendOptions {
        backend: backend.into(),
        provider: Some(ProviderChoice::Cpu),
        precision,
        largest_batch: REFERENCE_BATCH,
        // They change no frame, and another backend has none.
        openvino: OpenVinoSettings { streams: None, ..candidate.openvino.clone() },
        ..candidate.clone()
    }
}

/// What is compared over, opened once a network has said what size it is.
struct Scene {
    store: FrameStore,
    assembler: Assembler,
    frames: Vec<u64>,
}

impl Scene {
    fn open(args: &CompareArgs, geometry: ModelGeometry) -> Result<Self> {
        let package = Arc::new(Package::open(&args.package, geometry, args.inputs)?);
        let features = package.features()?;
        let options =
            StoreOptions { mode: StoreMode::Auto, ram_budget: RAM_BUDGET, decode_threads: cores() };
        let store = with_preload_bar(false, |progress| {
            FrameStore::open(Arc::clone(&package), &options, progress)
        })?;
        let wanted = if args.all { usize::MAX } else { args.frames as usize };
        let frames = evenly_spaced(package.frame_count(), wanted);
        Ok(Self { store, assembler: Assembler::new(features), frames })
    }
}

#[derive(Clone, Copy)]
enum Part {
    Reference,
    Candidate,
}

/// What a network made of the frames, and what ran it.
struct Made {
    frames: CompositedFrames,
    side: Side,
}

fn frames(
    args: &CompareArgs,
    part: Part,
    model: &Path,
    options: &BackendOptions,
    scene: &mut Option<Scene>,
    watch: &Watch<'_>,
) -> Result<Made> {
    let (what, batch) = match part {
        Part::Reference => ("reference", REFERENCE_BATCH),
        Part::Candidate => ("candidate", CANDIDATE_BATCH),
    };
    // As it was opened: a comparison does not ask what is fastest.
    let mut opened = select::open(Some(model), options, watch)?;
    opened.remarks.iter().for_each(|remark| (watch.say)(remark));
    let backend = &mut *opened.backend;
    let side = Side::new(model, backend);
    (watch.say)(&format!("{what:<11} {side}"));
    let scene = match scene {
        Some(scene) => scene,
        None => scene.insert(Scene::open(args, backend.geometry())?),
    };
    let excerpt = Excerpt {
        store: &scene.store,
        assembler: &scene.assembler,
        frames: &scene.frames,
        interpolation: args.interpolation,
    };
    let mut progress = Progress::new(what, "frames", scene.frames.len() as u64, false);
    let frames =
        composite(backend, &excerpt, batch, watch.cancelled, &mut |done| progress.set(done))?;
    Ok(Made { frames, side })
}
