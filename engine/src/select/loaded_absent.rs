//! Stands in for `loaded.rs` in builds without TensorRT.

use super::{BackendOptions, Sample, SelectError, Watch};
use crate::backend::Backend;

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
        _sample: Sample<'_>,
        _options: &BackendOptions,
        _watch: &Watch<'_>,
    ) -> Result<(), SelectError> {
        match self {}
    }
}
