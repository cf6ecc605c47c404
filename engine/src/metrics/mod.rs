//! Timestamps -> durations -> summaries.

mod attribution;
mod summary;

pub use attribution::{Attribution, RunSpans};
pub use summary::Summary;
