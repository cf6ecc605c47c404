//! How far a render is: a bar on a terminal, a line now and then elsewhere, or JSON for programs.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::pipeline::{BusyTimes, RunObserver};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::output::note;
use crate::progress::LINE_EVERY;

/// Time over which speed is measured.
const WINDOW: Duration = Duration::from_secs(5);
/// Time between two reports for programs.
const JSON_EVERY: Duration = Duration::from_millis(500);

/// How a render's progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Nothing,
    /// For people, on stderr.
    Text,
    /// One JSON object a line, on stdout.
    Json,
}

/// Follows a run and shows how far it is.
pub(crate) struct RunProgress {
    show: Show,
    plain: bool,
    /// Frames that were there before this run, and in all.
    first: u64,
    total: u64,
    /// Frames a second of the output.
    rate: f64,
    state: Mutex<State>,
}

struct State {
    bar: ProgressBar,
    /// The oldest moment that still counts, and the last one.
    window: [Moment; 2],
    shown: Instant,
}

#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    frames: u64,
    busy: BusyTimes,
}

/// What is reported.
#[derive(Debug, PartialEq, Serialize)]
struct Report {
    /// Frames of the whole output that are done.
    frames: u64,
    total: u64,
    /// Frames a second at present.
    fps: f64,
    /// `fps` against the output's own rate.
    real_time: f64,
    /// Seconds that are left at this speed; null where no speed is known.
    left_s: Option<f64>,
    /// The stage that was busy longest.
    busiest: &'static str,
}

impl RunProgress {
    /// Of a run that makes the frames from `first` to `total`, for an output of `rate` frames a
    /// second.
    pub(crate) fn new(show: Show, first: u64, total: u64, rate: f64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal && show == Show::Text {
            true => ProgressDrawTarget::stderr_with_hz(10),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} frames  {msg}") {
            bar.set_style(style);
        }
        bar.set_position(first);
        let start = Moment { at: Instant::now(), frames: 0, busy: BusyTimes::default() };
        let state = Mutex::new(State { bar, window: [start; 2], shown: start.at });
        let plain = !terminal && show == Show::Text;
        Self { show, plain, first, total, rate, state }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bar.finish_and_clear();
    }

    fn report(&self, [from, to]: [Moment; 2]) -> Report {
        let seconds = to.at.duration_since(from.at).as_secs_f64();
        let fps = if seconds > 0.0 { (to.frames - from.frames) as f64 / seconds } else { 0.0 };
        let frames = self.first + to.frames;
        Report {
            frames,
            total: self.total,
            fps,
            real_time: fps / self.rate,
            left_s: (fps > 0.0).then(|| self.total.saturating_sub(frames) as f64 / fps),
            busiest: since(&to.busy, &from.busy).longest().0,
        }
    }
}

impl RunObserver for RunProgress {
    fn progress(&self, frames: u64, busy: &BusyTimes) {
        let now = Moment { at: Instant::now(), frames, busy: *busy };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { bar, window: [from, to], shown } = &mut *state;
        // Two windows, so that speed is always over one at least.
        if now.at.duration_since(to.at) >= WINDOW {
            (*from, *to) = (*to, now);
        }
        let window = [*from, now];
        bar.set_position(self.first + frames);
        let due = match self.show {
            Show::Nothing => return,
            Show::Json => shown.elapsed() >= JSON_EVERY || self.first + frames == self.total,
            Show::Text if self.plain => shown.elapsed() >= LINE_EVERY,
            Show::Text => true,
        };
        if !due {
            return;
        }
        *shown = now.at;
        let report = self.report(window);
        match self.show {
            Show::Json => json("progress", &report),
            _ if self.plain => {
                note!("rendering: {}/{} frames, {}", report.frames, report.total, words(&report));
            }
            _ => bar.set_message(words(&report)),
        }
    }
}

/// Prints an event for programs. A reader that has gone away is no reason to stop.
pub(crate) fn json(event: &str, what: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(&serde_json::json!({ event: what })) {
        let mut out = std::io::stdout().lock();
        _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

fn words(report: &Report) -> String {
    let left = report.left_s.map_or_else(|| "--:--".to_owned(), clock);
    format!(
        "{:.1} frames/s, {:.2} x real time, {left} left, busiest: {}",
        report.fps, report.real_time, report.busiest
    )
}

/// `1:02:03`, or `2:03`.
pub(crate) fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn since(now: &BusyTimes, before: &BusyTimes) -> BusyTimes {
    BusyTimes {
        decode: now.decode.saturating_sub(before.decode),
        assemble: now.assemble.saturating_sub(before.assemble),
        infer: now.infer.saturating_sub(before.infer),
        composite: now.composite.saturating_sub(before.composite),
        save: now.save.saturating_sub(before.save),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_window() {
        let progress = RunProgress::new(Show::Nothing, 100, 400, 25.0);
        let at = Instant::now();
        let busy = |infer, save| BusyTimes {
            infer: Duration::from_secs(infer),
            save: Duration::from_secs(save),
            ..BusyTimes::default()
        };
        let from = Moment { at, frames: 100, busy: busy(10, 0) };
        let to = Moment { at: at + Duration::from_secs(2), frames: 200, busy: busy(11, 2) };
        let report = progress.report([from, to]);
        let expected = Report {
            frames: 300,
            total: 400,
            fps: 50.0,
            real_time: 2.0,
            left_s: Some(2.0),
            busiest: "save",
        };
        assert_eq!(report, expected);
        assert_eq!(words(&report), "50.0 frames/s, 2.00 x real time, 0:02 left, busiest: save");
        assert_eq!(progress.report([from, from]).left_s, None);
    }

    #[test]
    fn times_read_as_clocks_do() {
        assert_eq!([0.4, 59.6, 3599.0, 3723.0].map(clock), ["0:00", "1:00", "59:59", "1:02:03"]);
    }
}
