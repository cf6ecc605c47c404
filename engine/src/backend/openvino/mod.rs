//! OpenVINO on the CPU, loaded at run time.

mod precision;
mod runtime;

pub use precision::OpenVinoPrecision;
pub use runtime::{OpenVino, OpenVinoCpu, OpenVinoOptions};
