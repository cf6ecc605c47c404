//! The search itself, over whatever can be measured.
//!
//! A machine that others use, too, is faster at one time and slower at another, by more than settings
//! differ, and for seconds at a time. So nothing is compared that was measured at different times:
//! each new setting runs right after one that is known, and those that are close run in turns. What
//! disturbs a single run is outvoted: settings beside the best are looked at more than once, and of
//! several looks the median counts.

use super::Setting;
use super::space::{Axis, Space};

/// Along an axis, nothing is looked for behind a setting that has less than this part of the best.
const HOPELESS: f64 = 0.88;
/// The search moves on to a setting that is this much faster; less is noise. It never goes back and
/// forth, since `NOTABLE * EQUAL` is above 1.
const NOTABLE: f64 = 1.02;
/// How often the settings beside the best are looked at.
const LOOKS: usize = 3;
/// What reaches this part of the best takes part in the race.
const CLOSE: f64 = 0.9;
/// At most so many do.
const RACERS: usize = 5;
/// How often each is measured in the race, and how often at least before one is out of it.
const ROUNDS: usize = 10;
const FEWEST_ROUNDS: usize = 3;
/// After a number of rounds one is out that is behind by more than this over that number.
const BEHIND: f64 = 0.2;
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
    /// Frames a second. Those of the race are comparable with each other; the others are relative to a
    /// setting that was measured just before.
    pub fps: f64,
    /// Runs in the race; 0 where it was not part of that.
    pub rounds: usize,
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
    let Some(&first) = starts.first() else { return Ok(None) };
    let mut trials = Trials::begin(first, machine)?;
    for &start in starts {
        let mut here = start;
        let (best, best_fps) = trials.best();
        let Some(fps) = trials.explore(here, best)? else { break };
        if fps < HOPELESS * best_fps {
            continue;
        }
        loop {
            let before = here;
            for axis in Axis::ALL {
                here = trials.along(space, here, axis)?;
            }
            if here == before && !trials.look_again(space, here)? {
                break;
            }
        }
    }
    trials.race(false).map(Some)
}

/// Measures every setting of `space` against the first of `starts`, then what is close to the best
/// again, however long that takes.
pub(super) fn exhaust<M: Machine>(
    space: &Space,
    starts: &[Setting],
    machine: &mut M,
) -> Result<Option<Found>, M::Error> {
    let Some(&first) = starts.first() else { return Ok(None) };
    let mut trials = Trials::begin(first, machine)?;
    for setting in space.all() {
        if setting != first {
            trials.look(setting, first)?;
        }
    }
    trials.race(true).map(Some)
}

/// A setting, and what is known about it.
#[derive(Clone, Debug)]
struct Known {
    setting: Setting,
    /// Frames a second, once for each look, relative to what is usual of what it was compared with.
    looks: Vec<f64>,
    /// Frames a second in the race, and its rounds.
    raced: Option<(f64, usize)>,
}

impl Known {
    fn fps(&self) -> f64 {
        self.raced.map_or_else(|| median(&self.looks), |(fps, _)| fps)
    }

    fn trial(&self) -> Trial {
        let rounds = self.raced.map_or(0, |(_, rounds)| rounds);
        Trial { setting: self.setting, fps: self.fps(), rounds }
    }
}

struct Trials<'a, M> {
    machine: &'a mut M,
    /// Never empty.
    all: Vec<Known>,
    cut_short: bool,
}

impl<'a, M: Machine> Trials<'a, M> {
    fn begin(first: Setting, machine: &'a mut M) -> Result<Self, M::Error> {
        let looks = vec![machine.measure(first)?];
        let all = vec![Known { setting: first, looks, raced: None }];
        Ok(Self { machine, all, cut_short: false })
    }

    /// The setting that is fastest so far, and its frames a second.
    fn best(&self) -> (Setting, f64) {
        let all = self.all.iter().map(|known| (known.setting, known.fps()));
        all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((self.all[0].setting, 0.0))
    }

    fn known(&self, setting: Setting) -> Option<&Known> {
        self.all.iter().find(|known| known.setting == setting)
    }

    /// How often `setting` was looked at; the first one is what the others are relative to.
    fn looks(&self, setting: Setting) -> usize {
        match self.known(setting) {
            Some(known) if known.setting == self.all[0].setting => LOOKS,
            known => known.map_or(0, |known| known.looks.len()),
        }
    }

    /// Frames a second of `setting`, measured if it was not yet; `None` where there is no time for
    /// that. `against` is known.
    fn explore(&mut self, setting: Setting, against: Setting) -> Result<Option<f64>, M::Error> {
        if let Some(known) = self.known(setting) {
            return Ok(Some(known.fps()));
        }
        if self.machine.time() != Time::Enough {
            self.cut_short = true;
            return Ok(None);
        }
        self.look(setting, against).map(Some)
    }

    /// Measures `setting`, perhaps once more, right after `against`, which is known.
    fn look(&mut self, setting: Setting, against: Setting) -> Result<f64, M::Error> {
        let usual = self.known(against).map_or(1.0, Known::fps);
        let now = self.machine.measure(against)?;
        let fps = self.machine.measure(setting)? / now * usual;
        match self.all.iter_mut().find(|known| known.setting == setting) {
            Some(known) => known.looks.push(fps),
            None => self.all.push(Known { setting, looks: vec![fps], raced: None }),
        }
        Ok(self.known(setting).map_or(fps, Known::fps))
    }

    /// The best of the settings that differ from `from` on `axis`, or itself.
    fn along(&mut self, space: &Space, from: Setting, axis: Axis) -> Result<Setting, M::Error> {
        let (mut here, mut best) = (from, self.known(from).map_or(0.0, Known::fps));
        for side in space.neighbours(from, axis) {
            for setting in side {
                let Some(mut fps) = self.explore(setting, here)? else { break };
                // That it is faster has to show more than once.
                while fps > NOTABLE * best && self.looks(setting) < LOOKS {
                    fps = self.look(setting, here)?;
                }
                let faster = fps > NOTABLE * best;
                let as_fast = fps >= EQUAL * self.best().1;
                if faster || as_fast && setting.modesty() < here.modesty() {
                    (here, best) = (setting, fps);
                } else if fps < HOPELESS * best {
                    break;
                }
            }
        }
        Ok(here)
    }

    /// Looks once more at each setting beside `here`; whether there was one to look at, and time.
    fn look_again(&mut self, space: &Space, here: Setting) -> Result<bool, M::Error> {
        let mut looked = false;
        for axis in Axis::ALL {
            for side in space.neighbours(here, axis) {
                let Some(&beside) = side.first() else { continue };
                if self.looks(beside) < LOOKS {
                    if self.machine.time() != Time::Enough {
                        return Ok(false);
                    }
                    self.look(beside, here)?;
                    looked = true;
                }
            }
        }
        Ok(looked)
    }

    /// Measures what is close to the best in turns: the closest, in the time there is, or all of it
    /// if `patient`.
    fn race(mut self, patient: bool) -> Result<Found, M::Error> {
        let (_, best) = self.best();
        let close = self.all.iter().filter(|known| known.fps() >= CLOSE * best);
        let mut racers: Vec<Racer> = close
            .map(|known| Racer { setting: known.setting, fps: known.fps(), shares: vec![] })
            .collect();
        // Of what seems as fast as the best, what takes least.
        let behind = |racer: &Racer| if racer.fps >= EQUAL * best { 0.0 } else { best - racer.fps };
        racers.sort_by(|a, b| {
            let modest = || a.setting.modesty().cmp(&b.setting.modesty());
            behind(a).total_cmp(&behind(b)).then_with(modest)
        });
        if !patient {
            racers.truncate(RACERS);
        }
        // What shares a runtime runs without setting up another in between.
        racers.sort_by_key(|Racer { setting, .. }| {
            (setting.network, setting.threads, setting.streams)
        });
        let mut usual = Vec::new();
        for round in 1..=ROUNDS {
            // A round is finished, so that all are measured equally often.
            if racers.len() == 1 || !patient && self.machine.time() == Time::Over {
                break;
            }
            let mut all = Vec::new();
            for racer in &racers {
                all.push(self.machine.measure(racer.setting)?);
            }
            // What is common to a round is nobody's merit.
            let common = median(&all);
            usual.push(common);
            let usual = median(&usual);
            for (racer, fps) in racers.iter_mut().zip(all) {
                racer.shares.push(fps / common);
                racer.fps = median(&racer.shares) * usual;
            }
            for racer in &racers {
                let known = self.all.iter_mut().find(|known| known.setting == racer.setting);
                known.into_iter().for_each(|known| known.raced = Some((racer.fps, round)));
            }
            if round >= FEWEST_ROUNDS {
                let fastest = racers.iter().map(|racer| racer.fps).fold(0.0, f64::max);
                let enough = fastest * (1.0 - BEHIND / round as f64);
                racers.retain(|racer| racer.fps >= enough);
            }
            // The one that came last is still set up.
            racers.reverse();
        }
        let fastest = racers.iter().map(|racer| racer.fps).fold(0.0, f64::max);
        let as_fast = racers.iter().filter(|racer| racer.fps >= EQUAL * fastest);
        let chosen = as_fast.min_by_key(|racer| racer.setting.modesty());
        let chosen = chosen.and_then(|racer| self.known(racer.setting)).unwrap_or(&self.all[0]);
        let trials = self.all.iter().map(Known::trial).collect();
        Ok(Found { chosen: chosen.trial(), trials, cut_short: self.cut_short })
    }
}

/// One of those that run in turns.
struct Racer {
    setting: Setting,
    fps: f64,
    /// Its frames a second in each round, as a part of what was common then.
    shares: Vec<f64>,
}

/// The value in the middle, or between the two that are; 0 where there is none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(value), 1) => *value,
        (Some(value), _) => (value + sorted[middle - 1]) / 2.0,
    }
}

#[cfg(test)]
mod tests;
