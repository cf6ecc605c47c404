//! Whether a conversion left the network's predictions as they were.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::{Compared, Comparison, ConvertError, EngineRecord, GraphChanges, Network};
use crate::backend::{Backend, BackendError, OnnxRuntime, OnnxRuntimeOptions};
use crate::batch::Assembler;
use crate::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use crate::file::{FileHash, WholeFile};
use crate::onnx::Model;
use crate::onnx::quantize::to_symmetric;
use crate::verify::{PredictedFrames, difference, evenly_spaced, predict};

/// Frames that a graph is compared over, from the whole package.
const GRAPH_FRAMES: usize = 8;
/// Frames that an engine is compared over when it is loaded for the first time.
const ENGINE_FRAMES: usize = 4;
/// The first frames of a package, from which those are: a streamed package decodes all of them.
const ENGINE_SPAN: usize = 48;

/// What a conversion is compared with, and over what.
pub struct Reference<'a> {
    /// How ONNX Runtime runs the network.
    pub onnxruntime: &'a OnnxRuntimeOptions,
    /// The frames.
    pub store: &'a FrameStore,
    /// The features.
    pub assembler: &'a Assembler,
    /// Where both come from.
    pub package: &'a Path,
}

/// Compares the rewritten graph of `network` with the network itself, both on ONNX Runtime, over
/// frames of the avatar package in the folder `package`. The caller decides with
/// [`Comparison::check`] what to make of it.
///
/// # Errors
/// When the package, ONNX Runtime or a temporary file fails; [`ConvertError::Cancelled`] once
/// `cancelled`.
pub fn verify_graph(
    network: &Network,
    package: &Path,
    onnxruntime: &OnnxRuntimeOptions,
    cancelled: &dyn Fn() -> bool,
) -> Result<Comparison, ConvertError> {
    let geometry = network.spec().geometry();
    // Which of the two makes no difference here: both graphs see the same.
    let opened = Package::open(package, geometry, Inputs::Package)
        .or_else(|_| Package::open(package, geometry, Inputs::Derived))?;
    let opened = Arc::new(opened);
    let options = StoreOptions { mode: StoreMode::Stream, ram_budget: 0, decode_threads: 1 };
    let store = FrameStore::open(Arc::clone(&opened), &options, &mut |_, _| ())?;
    let assembler = Assembler::new(opened.features()?);
    let frames = evenly_spaced(opened.frame_count(), GRAPH_FRAMES);

    let folder = temporary()?;
    let rewritten = folder.path().join("converted.onnx");
    WholeFile::replace(&rewritten, network.onnx())?;
    // One after the other, so that only one of the two is in memory.
    let run = |model: &Path, batch: usize| -> Result<PredictedFrames, ConvertError> {
        let mut backend = OnnxRuntime::open(model, onnxruntime)?;
        Ok(predict(&mut backend, &store, &assembler, &frames, batch, cancelled)?)
    };
    let expected = run(network.path(), 1)?;
    // Two at a time where that can be, so that frames which a batch mixes up show.
    let quality = difference(&expected, &run(&rewritten, 2)?)?;
    let package = absolute(package);
    Ok(Comparison { ran_on: "ONNX Runtime".to_owned(), package, quality })
}

/// Compares the engine that `backend` has loaded with the network it was made from, which ONNX
/// Runtime runs. The caller keeps the result in the record and decides with [`Comparison::check`].
///
/// # Errors
/// [`ConvertError::Source`] when the network is not there any more; when a backend or the package
/// fails; [`ConvertError::Cancelled`] once `cancelled`.
pub fn verify_engine(
    record: &EngineRecord,
    backend: &mut dyn Backend,
    reference: &Reference<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Comparison, ConvertError> {
    let missing = |problem| ConvertError::Source { path: record.model.clone(), problem };
    let model = Model::read(&record.model).map_err(|_| missing("there is no such model now"))?;
    if FileHash::of(&model) != record.model_hash {
        return Err(missing("the model is not the one that the engine was made from"));
    }
    let folder = temporary()?;
    let source = match record.graph.symmetric {
        0 => record.model.clone(),
        // In the steps that the engine has; what they do to the predictions is for --verify-graph.
        _ => {
            let mut model = Model::decode(&record.model, &model).map_err(BackendError::from)?;
            to_symmetric(&mut model);
            let path = folder.path().join("symmetric.onnx");
            WholeFile::replace(&path, &model.to_bytes())?;
            path
        }
    };
    drop(model);
    let Reference { onnxruntime, store, assembler, package } = *reference;
    let frames = evenly_spaced(store.package().frame_count().min(ENGINE_SPAN), ENGINE_FRAMES);
    let found = predict(backend, store, assembler, &frames, 2, cancelled)?;
    let mut network = OnnxRuntime::open(&source, onnxruntime)?;
    let expected = predict(&mut network, store, assembler, &frames, 1, cancelled)?;
    let quality = difference(&expected, &found)?;
    let (ran_on, package) = (backend.provider().to_owned(), absolute(package));
    Ok(Comparison { ran_on, package, quality })
}

impl Comparison {
    /// Refuses what is too far from the network: where a frame is below the floor of `changes`
    /// ([`GraphChanges::floor_db`]). `what` is what was compared.
    ///
    /// # Errors
    /// [`ConvertError::Quality`].
    pub fn check(
        &self,
        what: Compared,
        network: &Path,
        changes: &GraphChanges,
    ) -> Result<(), ConvertError> {
        let quality = &self.quality;
        let floor_db = changes.floor_db();
        if quality.worst_psnr_db >= floor_db {
            return Ok(());
        }
        Err(ConvertError::Quality {
            what,
            network: network.to_owned(),
            worst_db: quality.worst_psnr_db,
            frame: quality.worst_frame,
            largest: quality.largest_difference,
            floor_db,
        })
    }
}

fn temporary() -> Result<TempDir, ConvertError> {
    tempfile::tempdir().map_err(|source| ConvertError::Read { path: std::env::temp_dir(), source })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
