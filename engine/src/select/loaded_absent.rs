//! Stands in for `loaded.rs` in builds without TensorRT.

use std::path::Path;

use super::{BackendOptions, SelectError, Watch};
use crate::backend::Backend;
use crate::batch::Assembler;
use crate::dataset::FrameStore;

/// There is none in this build.
#[derive(Debug)]
pub enum LoadedEngine {}

impl LoadedEngine {
    /// Never called, since there is none.
    ///
    /// # Errors
    /// None.
    pub fn verify(
        self,
        _backend: &mut dyn Backend,
        _store: &FrameStore,
        _assembler: &Assembler,
        _package: &Path,
        _options: &BackendOptions,
        _watch: &Watch<'_>,
    ) -> Result<(), SelectError> {
        match self {}
    }
}
