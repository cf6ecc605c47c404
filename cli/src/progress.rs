//! Progress of long work, on stderr: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::output::note;
use engine::dataset::DatasetError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between lines where there is no terminal.
pub(crate) const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress towards a known total.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    plain: bool,
    said: Instant,
}

impl Progress {
    /// Progress of `what`, towards `total` `unit`s.
    pub(crate) fn new(what: &'static str, unit: &str, total: u64, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal && !quiet {
            true => ProgressDrawTarget::stderr_with_hz(10),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template =
            format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, what, plain: !terminal && !quiet, said: Instant::now() }
    }

    /// `done` of the total are done.
    pub(crate) fn set(&mut self, done: u64) {
        self.bar.set_position(done);
        if self.plain && self.said.elapsed() >= LINE_EVERY {
            self.said = Instant::now();
            let total = self.bar.length().unwrap_or(done);
            note!("{}: {done}/{total}", self.what);
        }
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Opens a frame store with a bar for the preload.
pub(crate) fn with_preload_bar<T>(
    quiet: bool,
    open: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<T, DatasetError>,
) -> Result<T, DatasetError> {
    let mut progress: Option<Progress> = None;
    open(&mut |done, total| {
        progress.get_or_insert_with(|| Progress::new("loading", "images", total, quiet)).set(done);
    })
}
