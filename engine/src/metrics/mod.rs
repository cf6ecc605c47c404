//! Timestamps -> durations -> summaries.

mod attribution;
mod histogram;
mod quality;
mod summary;

pub use attribution::{Attribution, RunSpans};
pub use histogram::Histogram;
pub use quality::{QUALITY_FLOOR_DB, Quality, QualityMeter};
pub use summary::Summary;
