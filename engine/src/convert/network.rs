//! The network as the builder gets it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConvertError;
use crate::backend::{BackendError, BatchLimit, ModelSpec};
use crate::batch::BatchRange;
use crate::file::FileHash;
use crate::onnx::Model;
use crate::onnx::batch::{Symbolic, make_batch_symbolic};
use crate::onnx::precision::{Edges, HalfReport, Precision, to_half};
use crate::onnx::quantize::to_symmetric;
use crate::quality::{DEFAULT_MIN_PSNR_DB, QUALITY_FLOOR_DB};

/// A network whose graph says everything that the builder has to know.
#[derive(Clone, Debug)]
pub struct Network {
    spec: ModelSpec,
    source: FileHash,
    changes: GraphChanges,
    onnx: Vec<u8>,
}

/// What was changed in a graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphChanges {
    /// The batch that was fixed before and is symbolic now.
    pub fixed_batch: Option<i64>,
    /// The move to half precision.
    pub half: Option<HalfReport>,
    /// Tensors of a quantized network that were uint8 before and are int8 around 0 now, the only 8
    /// bits that TensorRT computes in ([`to_symmetric`]).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub symmetric: usize,
}

impl GraphChanges {
    /// Peak signal-to-noise ratio below which what became of the network is refused, in dB:
    /// [`QUALITY_FLOOR_DB`], but for a quantized network whose steps have changed. Both forms then
    /// round, each in its own way, so that their errors add up: two that are [`DEFAULT_MIN_PSNR_DB`]
    /// from the float network are 3 dB less from each other.
    pub fn floor_db(&self) -> f64 {
        match self.symmetric {
            0 => QUALITY_FLOOR_DB,
            _ => DEFAULT_MIN_PSNR_DB - 3.0,
        }
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Network {
    /// Reads the network at `path` and rewrites its graph: precision, int8 around 0 where it is
    /// quantized otherwise, and a symbolic batch where it is fixed to another than all of `batch`. A
    /// graph that needs none of these stays as it is, byte by byte.
    ///
    /// # Errors
    /// When the file is no network that the engine can feed, keeps weights in other files, has
    /// operators that cannot be moved to `precision`, or mixes the frames of a batch.
    pub fn prepare(
        path: &Path,
        precision: Precision,
        batch: BatchRange,
    ) -> Result<Self, ConvertError> {
        let data = Model::read(path).map_err(BackendError::from)?;
        Self::of(path, data, precision, batch)
    }

    /// [`prepare`](Self::prepare) for the bytes `data` that were read from `path`.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn of(
        path: &Path,
        data: Vec<u8>,
        precision: Precision,
        batch: BatchRange,
    ) -> Result<Self, ConvertError> {
        let mut model = Model::decode(path, &data).map_err(BackendError::from)?;
        let mut spec = ModelSpec::declared(path, &model)?;
        if let Some(tensor) = model.external_tensor() {
            let (path, tensor) = (path.to_owned(), tensor.to_owned());
            return Err(ConvertError::External { path, tensor });
        }
        let source = FileHash::of(&data);
        let mut changes = GraphChanges::default();
        if !takes(spec.batch_limit(), batch) {
            let changed = make_batch_symbolic(&mut model)
                .map_err(|source| ConvertError::Batch { path: path.to_owned(), batch, source })?;
            if let Symbolic::Changed { from, .. } = changed {
                changes.fixed_batch = Some(from);
                spec = ModelSpec::declared(path, &model)?;
            }
        }
        changes.symmetric = to_symmetric(&mut model);
        if precision == Precision::Fp16 {
            let report = to_half(&mut model, Edges::default())
                .map_err(|source| ConvertError::Precision { path: path.to_owned(), source })?;
            changes.half = Some(report);
        }
        let onnx = if changes == GraphChanges::default() { data } else { model.to_bytes() };
        Ok(Self { spec, source, changes, onnx })
    }

    /// Names and sizes.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The file it was made from.
    pub fn path(&self) -> &Path {
        self.spec.path()
    }

    /// The file it was made from, as an absolute path.
    pub(super) fn absolute_path(&self) -> PathBuf {
        std::path::absolute(self.path()).unwrap_or_else(|_| self.path().to_owned())
    }

    /// What identifies the file it was made from.
    pub fn source(&self) -> &FileHash {
        &self.source
    }

    /// What was changed.
    pub fn changes(&self) -> &GraphChanges {
        &self.changes
    }

    /// The rewritten graph as the bytes of an ONNX file.
    pub fn onnx(&self) -> &[u8] {
        &self.onnx
    }
}

/// Whether a network takes all batches of the range as it is.
fn takes(limit: BatchLimit, batch: BatchRange) -> bool {
    limit.instead_of(batch.min()).is_none() && limit.instead_of(batch.max()).is_none()
}
