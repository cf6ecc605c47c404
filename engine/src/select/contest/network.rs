//! A network, and what could run it on the processor.

use std::path::Path;

use super::super::openvino::Probe;
use super::super::{BackendChoice, BackendOptions, Sample, SelectError};
use super::candidate::{Candidate, Computed, Runtime};
use super::kept::Key;
use super::quantized::Quantized;
use crate::backend::{BackendError, ModelSpec, OnnxRuntime, find_onnxruntime};
use crate::file::FileHash;
use crate::frame::ModelGeometry;
use crate::onnx::Model;
use crate::onnx::quantize::Quantizable;
use crate::threads::{cores, cpu_name};

/// A network, and what lies beside it.
pub(super) struct Network<'a> {
    pub(super) path: &'a Path,
    pub(super) hash: FileHash,
    pub(super) geometry: ModelGeometry,
    /// Whether it is quantized itself.
    pub(super) is_quantized: bool,
    /// Its quantized form.
    pub(super) quantized: Quantized,
}

impl<'a> Network<'a> {
    pub(super) fn read(path: &'a Path) -> Result<Self, SelectError> {
        let data = Model::read(path).map_err(BackendError::from)?;
        let hash = FileHash::of(&data);
        let model = Model::decode(path, &data).map_err(BackendError::from)?;
        let geometry = ModelSpec::declared(path, &model)?.geometry();
        let is_quantized = model.is_quantized();
        let quantized = match is_quantized {
            true => Quantized::None,
            false => Quantized::beside(path, &hash),
        };
        Ok(Self { path, hash, geometry, is_quantized, quantized })
    }

    /// Whether it has a quantized form that could be made.
    pub(super) fn can_be_quantized(&self) -> bool {
        let model = Model::load(self.path).ok().filter(|_| !self.is_quantized);
        model.is_some_and(|model| Quantizable::new(model).is_ok())
    }

    /// The reference, and what else may run the network: what is likely to be fastest first.
    pub(super) fn candidates(
        &self,
        backend: BackendChoice,
        openvino: Option<&Probe>,
    ) -> (Candidate, Vec<Candidate>) {
        let only_openvino = backend == BackendChoice::OpenVino;
        let computed = if self.is_quantized { Computed::Int8 } else { Computed::Fp32 };
        let first = if only_openvino { Runtime::OpenVino } else { Runtime::OnnxRuntime };
        let runtime = if openvino.is_some() { Runtime::OpenVino } else { Runtime::OnnxRuntime };
        let mut candidates = Vec::new();
        if let Quantized::Fits { .. } = self.quantized {
            candidates.push(Candidate::new(runtime, Computed::Int8));
        }
        if openvino.is_some_and(|openvino| openvino.bf16) && !self.is_quantized {
            candidates.push(Candidate::new(runtime, Computed::Bf16));
        }
        if runtime != first {
            candidates.push(Candidate::new(runtime, computed));
        }
        (Candidate::new(first, computed), candidates)
    }

    /// What is measured besides [`candidates`](Self::candidates) by whoever takes more time.
    pub(super) fn unlikely(
        &self,
        backend: BackendChoice,
        openvino: Option<&Probe>,
    ) -> Option<Candidate> {
        let quantized = matches!(self.quantized, Quantized::Fits { .. });
        // Without OpenVINO it is a candidate anyway.
        let other = openvino.is_some() && backend != BackendChoice::OpenVino;
        (quantized && other).then_some(Candidate::new(Runtime::OnnxRuntime, Computed::Int8))
    }

    /// The file that a candidate runs.
    pub(super) fn form(&self, candidate: Candidate) -> &Path {
        match &self.quantized {
            Quantized::Fits { path, .. } if candidate.computed == Computed::Int8 => path,
            _ => self.path,
        }
    }

    /// What a decision about it is kept under.
    pub(super) fn key(
        &self,
        openvino: Option<&Probe>,
        sample: Sample<'_>,
        options: &BackendOptions,
    ) -> Result<Key, SelectError> {
        let package = sample.store.package();
        let mut libraries = Vec::new();
        if options.backend != BackendChoice::OpenVino {
            let library = find_onnxruntime(options.onnxruntime_library.as_deref());
            let version = library.and_then(|library| OnnxRuntime::library_version(&library));
            libraries.push(format!("ONNX Runtime {}", version.map_err(BackendError::from)?));
        }
        libraries.extend(openvino.map(|openvino| format!("OpenVINO {}", openvino.version)));
        Ok(Key {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.hash.clone(),
            quantized: self.quantized.hash().cloned(),
            package: package.fingerprint()?,
            inputs: package.inputs().to_string(),
            cpu: cpu_name(),
            cores: cores(),
            settings: format!(
                "{:?}, {:?} threads, {:?} streams",
                options.backend, options.threads, options.openvino.streams
            ),
            batch: options.largest_batch,
            min_psnr_db: options.min_psnr_db,
            libraries,
        })
    }
}
