//! The search itself, over whatever can be measured.

use super::Setting;
use super::space::{Axis, Space};

/// Along an axis, nothing is looked for behind a setting that has less than this part of the best.
const HOPELESS: f64 = 0.9;
/// The search moves on to a setting that is this much faster; less is noise. It never goes back and
/// forth, since `NOTABLE * EQUAL` is above 1.
const NOTABLE: f64 = 1.02;
/// What reaches this part of the best takes part in the race.
const CLOSE: f64 = 0.92;
/// At most so many do.
const RACERS: usize = 5;
/// How often each is measured in the race.
const ROUNDS: usize = 3;
/// What reaches this part of the fastest is as fast: of that, what takes least is preferred.
const EQUAL: f64 = 0.99;

/// Runs settings, or is what a test makes of them.
pub(super) trait Machine {
    /// What ends a search.
    type Error;

    /// Frames a second of a short run.
    fn measure(&mut self, setting: Setting) -> Result<f64, Self::Error>;

    /// Whether to come to an end.
    fn time(&self) -> Time;
}

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Enough.
    Enough,
    /// Only to measure again what is close to the best.
    Short,
    /// None.
    Over,
}

/// A setting that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The setting.
    pub setting: Setting,
    /// Frames a second: the best of all runs, which is the one that others on the machine disturbed
    /// least.
    pub fps: f64,
    /// How often it was run.
    pub runs: usize,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The one to take.
    pub(super) chosen: Trial,
    /// All that were measured, in the order in which that began.
    pub(super) trials: Vec<Trial>,
    /// Whether there was no time to look further.
    pub(super) cut_short: bool,
}

/// Looks for the fastest setting, from `starts` on: the first setting of each network, the network
/// that is likely to be fastest first. One axis after the other is gone along, as long as that leads
/// to something faster; then what is close to the best is measured again, in turns.
pub(super) fn search<M: Machine>(
    space: &Space,
    starts: &[Setting],
    machine: &mut M,
) -> Result<Option<Found>, M::Error> {
    let mut trials = Trials { machine, all: Vec::new(), cut_short: false };
    for &start in starts {
        let mut here = start;
        let Some(fps) = trials.explore(here)? else { break };
        if fps < HOPELESS * trials.best() {
            continue;
        }
        loop {
            let before = here;
            for axis in Axis::ALL {
                here = trials.along(space, here, axis)?;
            }
            if here == before {
                break;
            }
        }
    }
    trials.race(false)
}

/// Measures every setting of `space`, then what is close to the best again, however long that takes.
pub(super) fn exhaust<M: Machine>(
    space: &Space,
    machine: &mut M,
) -> Result<Option<Found>, M::Error> {
    let mut trials = Trials { machine, all: Vec::new(), cut_short: false };
    for setting in space.all() {
        trials.run(setting)?;
    }
    trials.race(true)
}

struct Trials<'a, M> {
    machine: &'a mut M,
    all: Vec<Trial>,
    cut_short: bool,
}

impl<M: Machine> Trials<'_, M> {
    fn best(&self) -> f64 {
        self.all.iter().map(|trial| trial.fps).fold(0.0, f64::max)
    }

    /// Frames a second of `setting`, measured if it was not yet; `None` where there is no time for
    /// that.
    fn explore(&mut self, setting: Setting) -> Result<Option<f64>, M::Error> {
        if let Some(known) = self.all.iter().find(|trial| trial.setting == setting) {
            return Ok(Some(known.fps));
        }
        // Something has to be chosen in any case.
        if !self.all.is_empty() && self.machine.time() != Time::Enough {
            self.cut_short = true;
            return Ok(None);
        }
        self.run(setting).map(Some)
    }

    /// Measures `setting`, perhaps once more.
    fn run(&mut self, setting: Setting) -> Result<f64, M::Error> {
        let fps = self.machine.measure(setting)?;
        match self.all.iter_mut().find(|trial| trial.setting == setting) {
            Some(trial) => {
                trial.fps = trial.fps.max(fps);
                trial.runs += 1;
                Ok(trial.fps)
            }
            None => {
                self.all.push(Trial { setting, fps, runs: 1 });
                Ok(fps)
            }
        }
    }

    /// The best of the settings that differ from `from` on `axis`, or itself.
    fn along(&mut self, space: &Space, from: Setting, axis: Axis) -> Result<Setting, M::Error> {
        let (mut here, Some(mut best)) = (from, self.explore(from)?) else { return Ok(from) };
        for side in space.neighbours(from, axis) {
            for setting in side {
                let Some(fps) = self.explore(setting)? else { break };
                let faster = fps > NOTABLE * best;
                let as_fast = fps >= EQUAL * self.best();
                if faster || as_fast && setting.modesty() < here.modesty() {
                    (here, best) = (setting, fps);
                } else if fps < HOPELESS * best {
                    break;
                }
            }
        }
        Ok(here)
    }

    /// Measures what is close to the best a few times more, in turns, so that what disturbs the
    /// machine for a moment disturbs all of them; in the time there is, or `patient`.
    fn race(mut self, patient: bool) -> Result<Option<Found>, M::Error> {
        let best = self.best();
        let mut racers: Vec<Trial> =
            self.all.iter().filter(|trial| trial.fps >= CLOSE * best).copied().collect();
        // Of what seems as fast as the best, what takes least.
        let behind = |trial: &Trial| if trial.fps >= EQUAL * best { 0.0 } else { best - trial.fps };
        racers.sort_by(|a, b| {
            let modest = || a.setting.modesty().cmp(&b.setting.modesty());
            behind(a).total_cmp(&behind(b)).then_with(modest)
        });
        racers.truncate(RACERS);
        let mut racers: Vec<Setting> = racers.into_iter().map(|trial| trial.setting).collect();
        // What shares a runtime runs without setting up another in between.
        racers.sort_by_key(|setting| (setting.network, setting.threads, setting.streams));
        let rounds = if racers.len() > 1 { ROUNDS } else { 0 };
        for _ in 0..rounds {
            // A round is finished, so that all are measured equally often.
            if !patient && self.machine.time() == Time::Over {
                break;
            }
            for &setting in &racers {
                self.run(setting)?;
            }
            // The one that came last is still set up.
            racers.reverse();
        }
        let raced = self.all.iter().filter(|trial| racers.contains(&trial.setting));
        let fastest = raced.clone().map(|trial| trial.fps).fold(0.0, f64::max);
        let chosen = raced
            .filter(|trial| trial.fps >= EQUAL * fastest)
            .min_by_key(|trial| trial.setting.modesty())
            .copied();
        let (trials, cut_short) = (self.all, self.cut_short);
        Ok(chosen.map(|chosen| Found { chosen, trials, cut_short }))
    }
}

#[cfg(test)]
mod tests;
