//! What a search found, as data and in words.

use std::path::Path;

use anyhow::{Context as _, Result};
use engine::file::WholeFile;
use engine::profile::Profile;
use engine::select::Contender;
use engine::tune::{Setting, Trial, Tuned};
use serde::Serialize;

use crate::bench::advice::reached;
use crate::machine::Machine;

/// What a stage alone allows is the limit where a pipeline reaches this part of it.
const LIMITING: f64 = 0.8;

/// The JSON that `--json` writes; its field names are a contract.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    /// Version of this format.
    schema: u32,
    machine: Machine,
    /// What could run the network, what is likely to be fastest first.
    contenders: Vec<String>,
    chosen: Entry,
    /// All that was measured, in the order in which that began.
    trials: Vec<Entry>,
    /// How many settings there are.
    possible: usize,
    /// Whether time ran out before the search came to its end.
    cut_short: bool,
    /// Seconds of the search.
    seconds: f64,
    /// The slowest stage of the chosen setting, alone, and its frames a second.
    bound_by: &'static str,
    bound_fps: f64,
    /// What was written for `render` and `bench`; `null` where nothing was computed.
    profile: Option<Profile>,
    #[serde(skip)]
    fastest: &'a Contender,
}

/// A setting and what it gave.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    /// Which of `contenders`, counted from 0.
    contender: usize,
    threads: usize,
    streams: usize,
    batch: usize,
    workers: usize,
    /// Frames a second, relative to those of the start in the same `rounds`; where there were none, to
    /// those of a setting that ran just before.
    fps: f64,
    rounds: usize,
    #[serde(skip)]
    text: String,
}

impl Entry {
    fn new(contenders: &[Contender], trial: &Trial) -> Self {
        let Trial { setting, fps, rounds } = *trial;
        let Setting { network: contender, threads, streams, batch, workers } = setting;
        let text = settings(contenders, &setting);
        Self { contender, threads, streams, batch, workers, fps, rounds, text }
    }
}

/// A setting in words.
pub(super) fn settings(contenders: &[Contender], setting: &Setting) -> String {
    let Setting { network, threads, streams, batch, workers } = setting;
    let contender = &contenders[*network];
    let threads = match contender.is_on_cpu() {
        true => format!(", threads {threads}"),
        false => String::new(),
    };
    let streams = match contender.backend {
        engine::select::BackendChoice::OpenVino => format!(", streams {streams}"),
        _ => String::new(),
    };
    format!("{contender}{threads}{streams}, batch {batch}, workers {workers}")
}

impl<'a> Report<'a> {
    pub(super) fn new(
        contenders: &'a [Contender],
        tuned: &Tuned,
        seconds: f64,
        profile: Option<Profile>,
    ) -> Self {
        let (bound_by, bound_fps) = tuned.rates.bound();
        Self {
            schema: 1,
            machine: Machine::probe(),
            contenders: contenders.iter().map(Contender::to_string).collect(),
            chosen: Entry::new(contenders, &tuned.chosen),
            trials: tuned.trials.iter().map(|trial| Entry::new(contenders, trial)).collect(),
            possible: tuned.possible,
            cut_short: tuned.cut_short,
            seconds,
            bound_by,
            bound_fps,
            profile,
            fastest: &contenders[tuned.chosen.setting.network],
        }
    }

    /// Writes the file `path`, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).context("encoding the results")?;
        text.push('\n');
        Ok(WholeFile::replace(path, text.as_bytes())?)
    }

    /// What was found, and what limits it.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { chosen, trials, possible, seconds, bound_by, bound_fps, .. } = self;
        let mut lines = vec![format!(
            "best: {}: {:.2} frames/s, {:.2} x real time (25 frames/s)",
            chosen.text,
            chosen.fps,
            chosen.fps / 25.0
        )];
        // What runs where nothing is said comes first. Only figures of the turns can be compared.
        let compared = |start: &&Entry| start.rounds > 0 && start.text != chosen.text;
        if let Some(start) = trials.first().filter(compared) {
            lines.push(format!(
                "gain: {:.1} % over {}: {:.2} frames/s",
                100.0 * (chosen.fps / start.fps - 1.0),
                start.text,
                start.fps
            ));
        }
        let share = chosen.fps / bound_fps;
        let reached = reached(share);
        if share >= LIMITING {
            lines
                .push(format!("limit: {bound_by} alone allows {bound_fps:.2} frames/s; {reached}"));
            lines.extend(self.hint().map(|hint| format!("hint: {hint}")));
        } else {
            lines.push(format!(
                "limit: no stage alone: {bound_by}, the slowest, allows {bound_fps:.2} frames/s; \
                 {reached}"
            ));
        }
        lines.push(format!("tried: {} of {possible} settings in {seconds:.1} s", trials.len()));
        if self.cut_short {
            let note = "note: time ran out before the search came to its end; more --seconds may \
                        find something faster";
            lines.push(note.to_owned());
        }
        lines
    }

    /// What would help against the limit.
    fn hint(&self) -> Option<&'static str> {
        let on_cpu = self.fastest.is_on_cpu();
        match self.bound_by {
            "infer" if on_cpu => {
                Some("the network is what takes the time; more cores or a GPU help")
            }
            "infer" => {
                Some("the network is what takes the time, and the accelerator is never idle")
            }
            "decode" => Some("decoding is what takes the time; --frame-store ram decodes once"),
            "composite" => Some("compositing is what takes the time; more cores help"),
            _ => None,
        }
    }
}
