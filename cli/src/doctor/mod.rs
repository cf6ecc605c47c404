//! What this machine offers, and what to do about what is missing.

mod findings;
mod gpu;
mod openvino;
mod probe;
mod report;
mod tensorrt;
#[cfg(test)]
mod tests;

use anyhow::Result;

use crate::Outcome;
use crate::args::DoctorArgs;
use crate::output;
use probe::Probe;

pub(crate) fn run(args: &DoctorArgs) -> Result<Outcome> {
    output::line(Probe::run(args).report())?;
    Ok(Outcome::Done)
}
