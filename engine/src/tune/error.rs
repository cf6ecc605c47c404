//! Why nothing was found.

use crate::pipeline::PipelineError;
use crate::select::SelectError;

/// The search did not come to an end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// A runtime cannot be set up.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A run failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// There is nothing that could be run.
    #[error("there is nothing that could run the network")]
    Nothing,
    /// Somebody asked to stop.
    #[error("stopped before the search came to an end")]
    Cancelled,
}
