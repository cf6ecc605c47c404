//! Timestamps -> durations -> summaries.

mod attribution;
mod histogram;
mod summary;

pub use attribution::{Attribution, RunSpans};
pub use histogram::Histogram;
pub use summary::Summary;
