//! The stages wired together: threads, bounded channels, shutdown.

mod budget;
mod cancel;
mod error;
mod filling;
mod log;
mod pipelined;
mod placement;
mod probe;
mod run;
mod sequential;
mod stages;

pub use budget::{DEFAULT_BATCH, MAX_BATCH, MAX_WORKERS, ThreadBudget};
pub use cancel::CancelToken;
pub use error::PipelineError;
pub use log::{BusyTimes, RunObserver};
pub use placement::Placement;
pub use probe::StageRates;
pub use run::{Mode, Pipeline, PipelineOptions, RunReport};
pub use stages::Stages;

pub use crate::threads::{cores, cpu_name};
