//! The first thing that went wrong in a run.

use crate::backend::BackendError;
use crate::composite::CompositeError;
use crate::dataset::DatasetError;
use crate::frame::{Closed, OutOfMemory};
use crate::sink::SinkError;

/// Why a pipeline could not be set up or a run did not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// Reading the package.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Running the network.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Compositing.
    #[error(transparent)]
    Composite(#[from] CompositeError),
    /// Saving.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The pool of output buffers was closed while a stage waited for one.
    #[error("the run was shut down while it waited for an output buffer")]
    Closed(#[from] Closed),
    /// No memory for the buffers.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// A number is out of range.
    #[error("{name} is {found}; expected 1 to {max}")]
    Range {
        /// Which number.
        name: &'static str,
        /// What it is.
        found: usize,
        /// The largest that is accepted.
        max: usize,
    },
    /// The system gives no thread.
    #[error("cannot start the {name} thread")]
    Thread {
        /// Which thread.
        name: &'static str,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stage stopped in a way that is a defect of this program.
    #[error("the {stage} stage panicked; this is a defect, please report it")]
    Panicked {
        /// Which stage.
        stage: &'static str,
    },
}
