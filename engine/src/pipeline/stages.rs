//! What a pipeline is made of.

use crate::backend::Backend;
use crate::batch::Assembler;
use crate::composite::Compositor;
use crate::dataset::FrameStore;
use crate::frame::{Rect, Size};

/// The parts that do the work, each usable on its own.
pub struct Stages {
    /// The package's frames.
    pub store: FrameStore,
    /// Samples -> inputs.
    pub assembler: Assembler,
    /// Inputs -> predictions.
    pub backend: Box<dyn Backend>,
    /// Predictions -> pixels.
    pub compositor: Compositor,
    /// Size of the background frames and of the output.
    pub frame: Size,
    /// Where each background frame's crop goes.
    pub rects: Vec<Rect>,
}
