//! The search itself, over whatever can be measured.
//!
//! A machine that others use, too, is faster at one time and slower at another, by more than settings
//! differ, and for seconds at a time. So each new setting runs right after one that is known and counts
//! relative to it, and settings beside the best are looked at more than once. What is close to the best
//! runs in turns in the end, the start in each of them, and what counts is the median of a setting's
//! shares of what the start reached in the same round. Fewer and fewer take part, since telling two
//! apart takes more rounds than seeing that others are behind.

use super::Setting;
use super::space::{Axis, Space};

/// Along an axis, nothing is looked for behind a setting that has less than this part of the best.
const HOPELESS: f64 = 0.88;
/// The search moves on to a setting that is this much faster; less is noise.
const NOTABLE: f64 = 1.01;
/// How often the settings beside the best are looked at.
const LOOKS: usize = 2;
/// What reaches this part of the best takes part in the race that ends a search, at most so many.
const CLOSE: f64 = 0.9;
const RACERS: usize = 5;
const SHORT_RACE: Race = Race { stage: 2, last: 10, patient: false };
/// The race of all settings there are.
const LONG_RACE: Race = Race { stage: 4, last: 40, patient: true };
/// What wins has to be this much faster than the start in the end: less is chance, and no gain.
const GAIN: f64 = 1.02;

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
    /// Frames a second. Those of the race are relative to the start in the same rounds; the others to a
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

/// How settings are measured in turns: the better half goes on after each stage, until two are left.
struct Race {
    /// Rounds of a stage.
    stage: usize,
    /// Rounds of the last one at most.
    last: usize,
    /// Whether it goes on however long it takes, else while there is time.
    patient: bool,
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
    let racers = trials.close();
    trials.race(racers, &SHORT_RACE).map(Some)
}

/// Measures every setting of `space` in turns, the first of `starts` first, however long that takes.
pub(super) fn exhaust<M: Machine>(
    space: &Space,
    starts: &[Setting],
    machine: &mut M,
) -> Result<Option<Found>, M::Error> {
    let Some(&first) = starts.first() else { return Ok(None) };
    let others = space.all().into_iter().filter(|&setting| setting != first);
    let all: Vec<Setting> = std::iter::once(first).chain(others).collect();
    let unknown = |&setting: &Setting| Known { setting, looks: vec![], raced: None };
    let trials = Trials { machine, all: all.iter().map(unknown).collect(), cut_short: false };
    trials.race(all, &LONG_RACE).map(Some)
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
                if fps > NOTABLE * best {
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

    /// The start, and what is closest to the best.
    fn close(&self) -> Vec<Setting> {
        let (_, best) = self.best();
        let mut close: Vec<&Known> =
            self.all[1..].iter().filter(|known| known.fps() >= CLOSE * best).collect();
        close.sort_by(|a, b| b.fps().total_cmp(&a.fps()));
        close.truncate(RACERS - 1);
        std::iter::once(&self.all[0]).chain(close).map(|known| known.setting).collect()
    }

    /// Measures `settings`, which are known, the start among them, in turns.
    fn race(mut self, settings: Vec<Setting>, race: &Race) -> Result<Found, M::Error> {
        let start = self.all[0].setting;
        let racer = |setting| Racer { setting, shares: vec![] };
        let mut racers: Vec<Racer> = settings.into_iter().map(racer).collect();
        // What the start reached.
        let mut usual = Vec::new();
        while racers.len() > 1 {
            // What shares a runtime runs without setting up another in between.
            racers.sort_by_key(|racer| racer.setting.runtime());
            let rounds = if racers.len() == 2 { race.last } else { race.stage };
            for _ in 0..rounds {
                if self.is_over(race) {
                    break;
                }
                self.round(start, &mut racers, &mut usual)?;
                // The one that came last is still set up.
                racers.reverse();
            }
            if racers.len() == 2 || self.is_over(race) {
                break;
            }
            racers.sort_by(|a, b| {
                let goes_on = (b.setting == start).cmp(&(a.setting == start));
                goes_on.then_with(|| b.share().total_cmp(&a.share()))
            });
            racers.truncate(racers.len().div_ceil(2));
        }
        let raced = racers.iter().filter_map(|racer| self.known(racer.setting));
        let fastest = raced.max_by(|a, b| a.fps().total_cmp(&b.fps()));
        let gains = |known: &&Known| known.fps() >= GAIN * self.all[0].fps();
        let chosen = fastest.filter(gains).unwrap_or(&self.all[0]);
        let trials = self.all.iter().map(Known::trial).collect();
        Ok(Found { chosen: chosen.trial(), trials, cut_short: self.cut_short })
    }

    fn is_over(&self, race: &Race) -> bool {
        !race.patient && self.machine.time() == Time::Over
    }

    /// Measures each of `racers` once, so that all are measured equally often, and notes what that says.
    fn round(
        &mut self,
        start: Setting,
        racers: &mut [Racer],
        usual: &mut Vec<f64>,
    ) -> Result<(), M::Error> {
        let mut all = Vec::with_capacity(racers.len());
        for racer in racers.iter() {
            let fps = self.machine.measure(racer.setting)?;
            if racer.setting == start {
                usual.push(fps);
            }
            all.push(fps);
        }
        let Some(&now) = usual.last() else { return Ok(()) };
        let usual = median(usual);
        for (racer, fps) in racers.iter_mut().zip(all) {
            racer.shares.push(fps / now);
            let raced = Some((racer.share() * usual, racer.shares.len()));
            let known = self.all.iter_mut().find(|known| known.setting == racer.setting);
            known.into_iter().for_each(|known| known.raced = raced);
        }
        Ok(())
    }
}

/// One of those that run in turns.
struct Racer {
    setting: Setting,
    /// Frames a second in each round, as a part of what the start reached in it.
    shares: Vec<f64>,
}

impl Racer {
    fn share(&self) -> f64 {
        median(&self.shares)
    }
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
