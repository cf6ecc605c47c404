//! How good a network's frames are.

use tempfile::TempDir;

use super::QuantizeError;
use super::scene::Scene;
use crate::backend::{OnnxRuntime, OnnxRuntimeOptions};
use crate::composite::Interpolation;
use crate::onnx::Model;
use crate::quality::{CompositedFrames, Excerpt, Quality, composite};

/// The frames of the float network, and what compares those of others with them.
pub(super) struct Judge<'a> {
    scene: &'a Scene,
    onnxruntime: &'a OnnxRuntimeOptions,
    /// Where networks lie while they are judged.
    folder: TempDir,
    expected: CompositedFrames,
}

impl<'a> Judge<'a> {
    /// Composites the frames that decide with the predictions of `original`.
    pub(super) fn new(
        scene: &'a Scene,
        onnxruntime: &'a OnnxRuntimeOptions,
        original: &Model,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, QuantizeError> {
        let folder = tempfile::tempdir().map_err(QuantizeError::Temporary)?;
        let expected = frames(scene, onnxruntime, &folder, original, cancelled)?;
        Ok(Self { scene, onnxruntime, folder, expected })
    }

    /// How far the frames of `network` are from those of the float network, inside their rectangles.
    pub(super) fn quality(
        &self,
        network: &Model,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Quality, QuantizeError> {
        let found = frames(self.scene, self.onnxruntime, &self.folder, network, cancelled)?;
        Ok(self.expected.compare(&found)?.overall)
    }
}

fn frames(
    scene: &Scene,
    onnxruntime: &OnnxRuntimeOptions,
    folder: &TempDir,
    network: &Model,
    cancelled: &dyn Fn() -> bool,
) -> Result<CompositedFrames, QuantizeError> {
    let path = folder.path().join("network.onnx");
    network.save(&path)?;
    let mut backend = OnnxRuntime::open(&path, onnxruntime)?;
    let excerpt = Excerpt {
        store: &scene.store,
        assembler: &scene.assembler,
        frames: &scene.judged,
        interpolation: Interpolation::Linear,
    };
    Ok(composite(&mut backend, &excerpt, 1, cancelled, &mut |_| ())?)
}
