//! The comparison of an engine with its network, once on each GPU.

use std::path::{Path, PathBuf};

use super::{BackendOptions, Sample, SelectError, Watch, chain};
use crate::backend::Backend;
use crate::convert::{Compared, ConvertError, EngineRecord, Reference, verify_engine};
use crate::threads::cores;

/// An engine that was loaded, and what is known about it.
#[derive(Debug)]
pub struct LoadedEngine {
    pub(super) path: PathBuf,
    /// `None` where it was not made by this program.
    pub(super) record: Option<EngineRecord>,
}

impl LoadedEngine {
    /// The engine's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known about it.
    pub fn record(&self) -> Option<&EngineRecord> {
        self.record.as_ref()
    }

    /// Compares the engine that `backend` runs with its network over `sample`, where that was not
    /// done on this GPU before, and keeps the result in its record. Where there is nothing to
    /// compare it with, that is said.
    ///
    /// # Errors
    /// When the two are too far apart, now or when they were compared; when the backend fails; or
    /// once somebody asked to stop.
    pub fn verify(
        self,
        backend: &mut dyn Backend,
        sample: Sample<'_>,
        options: &BackendOptions,
        watch: &Watch<'_>,
    ) -> Result<(), SelectError> {
        if !options.tensorrt.verify {
            return Ok(());
        }
        let unverified = |why: &str| {
            (watch.say)(&format!("warning: the engine was not compared with its network: {why}"));
        };
        let Some(mut record) = self.record else {
            unverified("no record beside the engine says what it was made from");
            return Ok(());
        };
        let gpu = backend.provider().to_owned();
        let what = Compared::Engine { path: self.path.clone(), gpu: gpu.clone() };
        if let Some(known) = record.verified_on(&gpu) {
            return Ok(known.check(what, &record.model, &record.graph)?);
        }
        (watch.say)("verifying   the engine against its network, once on this GPU");
        let onnxruntime = match options.onnxruntime(cores()) {
            Ok(onnxruntime) => onnxruntime,
            Err(error) => {
                unverified(&chain(&error));
                return Ok(());
            }
        };
        let Sample { package, store, assembler, .. } = sample;
        let reference = Reference { onnxruntime: &onnxruntime, store, assembler, package };
        let comparison = match verify_engine(&record, backend, &reference, watch.cancelled) {
            Ok(comparison) => comparison,
            // The network or its runtime, not the engine.
            Err(error @ (ConvertError::Source { .. } | ConvertError::Backend(_))) => {
                unverified(&chain(&error));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        (watch.say)(&format!("verified    {}", comparison.quality));
        record.verified_engine.push(comparison.clone());
        if let Err(error) = record.save(&self.path) {
            // It is compared again next time.
            (watch.say)(&format!("warning: {}", chain(&error)));
        }
        Ok(comparison.check(what, &record.model, &record.graph)?)
    }
}
