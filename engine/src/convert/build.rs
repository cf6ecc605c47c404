//! The build itself: from a prepared network to files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use engine_sys::{BuildOptions, Flavour, InputProfile, Library, Progress};

use super::{Comparison, ConvertError, EngineOptions, EngineRecord, Gpu, Network};
use crate::backend::{BackendError, ModelSpec};
use crate::cuda::{Context, CudaError};
use crate::file::{FileHash, Lock, WholeFile, regular};

/// What builds engines.
pub struct Tools {
    /// The library with a builder.
    pub library: Library,
    /// The library that reads ONNX models.
    pub parser: PathBuf,
    /// The GPU that the engine is for, or why there is none. TensorRT-RTX needs none.
    pub gpu: Result<Context, CudaError>,
}

/// Builds an engine of `network` into the file that `lock` is for, with its [`EngineRecord`] beside
/// it. Both appear whole or not at all, and replace what was there. May take minutes.
///
/// `timing_cache` is a file in which TensorRT keeps what it finds out about kernels: read where it
/// is there, and written afterwards. `verified` goes into the record.
///
/// # Errors
/// When there is no GPU and the flavour needs one, when TensorRT refuses, or a file cannot be
/// written; [`ConvertError::Cancelled`] when `progress` broke off.
pub fn build(
    lock: &Lock,
    network: &Network,
    options: &EngineOptions,
    tools: &Tools,
    timing_cache: Option<&Path>,
    verified: Option<Comparison>,
    progress: Arc<dyn Progress>,
) -> Result<EngineRecord, ConvertError> {
    let Tools { library, parser, gpu } = tools;
    let flavour = library.flavour();
    let gpu = match gpu {
        _ if flavour == Flavour::Rtx => None,
        Ok(context) => {
            // The builder measures kernels on the GPU that is current.
            context.bind().map_err(BackendError::from)?;
            (!options.hardware_compatible).then(|| Gpu::from(context.device()))
        }
        Err(source) => return Err(ConvertError::NeedsGpu { flavour, source: source.clone() }),
    };
    // What cannot be written is found out before the time is spent.
    let output = lock.output();
    let mut engine = WholeFile::create(output)?;
    let mut beside = WholeFile::create(&EngineRecord::path(output))?;
    let cache_file = timing_cache.map(WholeFile::create).transpose()?;
    let request = BuildOptions {
        profile: profile(network.spec(), options),
        workspace: options.workspace.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        version_compatible: options.version_compatible,
        hardware_compatible: options.hardware_compatible,
        timing_cache: timing_cache.map(read_or_empty).transpose()?,
    };

    let start = Instant::now();
    let built = library.build(parser, network.onnx(), &request, progress);
    let built = built.map_err(|error| match error {
        engine_sys::Error::Cancelled => ConvertError::Cancelled,
        source => ConvertError::Build { path: network.path().to_owned(), source },
    })?;
    let record = EngineRecord {
        format: EngineRecord::FORMAT,
        program: concat!("engine ", env!("CARGO_PKG_VERSION")).to_owned(),
        engine: FileHash::of(&built.engine),
        model: network.absolute_path(),
        model_hash: network.source().clone(),
        flavour,
        library: library.version(),
        gpu,
        options: options.clone(),
        graph: network.changes().clone(),
        build_seconds: start.elapsed().as_secs_f64(),
        verified_graph: verified,
        verified_engine: Vec::new(),
    };
    // Both are on the disk before one has its name. A record that was left with another engine is
    // known by the engine's hash.
    engine.fill(&built.engine)?;
    beside.fill(&record.to_json()?)?;
    engine.commit()?;
    beside.commit()?;
    if let (Some(mut file), Some(cache)) = (cache_file, &built.timing_cache) {
        file.fill(cache)?;
        file.commit()?;
    }
    Ok(record)
}

/// The shapes of the network's inputs for the batches that were asked for.
fn profile(spec: &ModelSpec, options: &EngineOptions) -> Vec<InputProfile> {
    let side = spec.geometry().side() as i64;
    let input = |name: &str, frame: [i64; 3]| {
        let shape = |batch: usize| [&[batch as i64][..], &frame].concat();
        let batch = options.batch;
        InputProfile {
            name: name.to_owned(),
            min: shape(batch.min()),
            opt: shape(batch.opt()),
            max: shape(batch.max()),
        }
    };
    vec![input(ModelSpec::IMAGE, [6, side, side]), input(ModelSpec::AUDIO, [32, 16, 16])]
}

/// A timing cache; empty where there is none yet.
fn read_or_empty(path: &Path) -> Result<Vec<u8>, ConvertError> {
    match regular::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|source| ConvertError::Read { path: path.to_owned(), source }),
    }
}
