//! How far TensorRT is with an engine, on stderr: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use engine_sys::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt;
use crate::output::note;
use crate::progress::LINE_EVERY;

/// Parts of the whole that the bar tells apart.
const PARTS: u64 = 1000;

/// Follows a build, and cancels it after Ctrl-C.
pub(crate) struct BuildProgress {
    plain: bool,
    state: Mutex<State>,
}

struct State {
    bar: ProgressBar,
    /// Those that are open, outermost first.
    phases: Vec<Phase>,
    said: Instant,
}

struct Phase {
    name: String,
    steps: u32,
    done: u32,
}

impl BuildProgress {
    pub(crate) fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal && !quiet {
            true => ProgressDrawTarget::stderr_with_hz(10),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(PARTS), target);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} %  {elapsed}") {
            bar.set_style(style);
        }
        let state = State { bar, phases: Vec::new(), said: Instant::now() };
        Self { plain: !terminal && !quiet, state: Mutex::new(state) }
    }

    fn update(&self, change: impl FnOnce(&mut Vec<Phase>)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { bar, phases, said } = &mut *state;
        change(phases);
        let Some(current) = phases.last() else { return bar.finish_and_clear() };
        let part = fraction(phases);
        bar.set_message(current.name.clone());
        bar.set_position((part * PARTS as f64) as u64);
        if self.plain && said.elapsed() >= LINE_EVERY {
            *said = Instant::now();
            note!("converting: {:.0} %, {}", part * 100.0, current.name);
        }
    }
}

/// How much of the outermost phase is done: a step that is under way counts by what is done in it.
fn fraction(phases: &[Phase]) -> f64 {
    let within = |inner: f64, phase: &Phase| match phase.steps {
        0 => inner,
        steps => ((f64::from(phase.done) + inner) / f64::from(steps)).min(1.0),
    };
    phases.iter().rev().fold(0.0, within)
}

impl Progress for BuildProgress {
    fn phase_start(&self, name: &str, _parent: Option<&str>, steps: u32) {
        self.update(|phases| phases.push(Phase { name: name.to_owned(), steps, done: 0 }));
    }

    fn step(&self, name: &str, step: u32) -> ControlFlow<()> {
        self.update(|phases| {
            if let Some(phase) = phases.iter_mut().rev().find(|phase| phase.name == name) {
                phase.done = step.saturating_add(1);
            }
        });
        match interrupt::token().is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn phase_finish(&self, name: &str) {
        self.update(|phases| {
            if let Some(at) = phases.iter().rposition(|phase| phase.name == name) {
                phases.truncate(at);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_phases_count_as_part_of_a_step() {
        let phase = |steps, done| Phase { name: String::new(), steps, done };
        assert_eq!(fraction(&[phase(4, 1)]), 0.25);
        assert_eq!(fraction(&[phase(4, 1), phase(2, 1)]), 0.375);
        assert_eq!(fraction(&[phase(0, 0), phase(2, 1)]), 0.5);
        assert_eq!(fraction(&[phase(1, 7)]), 1.0);
    }

    #[test]
    fn phases_close_with_what_is_inside() {
        let progress = BuildProgress::new(true);
        progress.phase_start("outer", None, 2);
        progress.phase_start("inner", Some("outer"), 3);
        assert!(progress.step("inner", 0).is_continue());
        assert!(progress.step("unknown", 5).is_continue());
        let open = |progress: &BuildProgress| progress.state.lock().unwrap().phases.len();
        assert_eq!(open(&progress), 2);
        progress.phase_finish("outer");
        assert_eq!(open(&progress), 0);
    }
}
