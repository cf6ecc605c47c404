//! How far a build is.

use std::ops::ControlFlow;

/// Follows a build, from the builder's threads. Phases nest; a phase's name is unique among those
/// that are open.
pub trait Progress: Send + Sync {
    /// A phase of `steps` steps begins, within the phase `parent` if there is one.
    fn phase_start(&self, name: &str, parent: Option<&str>, steps: u32);

    /// Step `step` (from 0) of a phase is done. Breaking cancels the build.
    fn step(&self, name: &str, step: u32) -> ControlFlow<()>;

    /// A phase has ended, whether or not all of its steps were done.
    fn phase_finish(&self, name: &str);
}

/// Follows nothing and never cancels.
#[derive(Clone, Copy, Debug)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn phase_start(&self, _name: &str, _parent: Option<&str>, _steps: u32) {}

    fn step(&self, _name: &str, _step: u32) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn phase_finish(&self, _name: &str) {}
}
