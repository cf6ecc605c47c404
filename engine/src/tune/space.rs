//! What can be set.

use crate::select::OpenVinoSettings;

/// One way to run a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which of the networks, counted from 0.
    pub network: usize,
    /// CPU threads that run it.
    pub threads: usize,
    /// Frames that it computes at one time, each with its part of the threads.
    pub streams: usize,
    /// Frames per run of it.
    pub batch: usize,
    /// Threads that composite.
    pub workers: usize,
}

impl Setting {
    /// What a runtime is set up for: network, threads, streams.
    pub(super) fn runtime(&self) -> (usize, usize, usize) {
        (self.network, self.threads, self.streams)
    }

    /// Whether the same runtime, set up in the same way, runs both.
    pub(super) fn shares_runtime(&self, other: &Self) -> bool {
        self.runtime() == other.runtime()
    }
}

/// What may be set for a network. Ascending, and neither list is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NetworkSpace {
    pub(super) threads: Vec<usize>,
    pub(super) streams: Vec<usize>,
}

/// All settings there are. Networks are in the order of their speed, as far as it is known; the other
/// lists ascend, and none is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) networks: Vec<NetworkSpace>,
    pub(super) batches: Vec<usize>,
    pub(super) workers: Vec<usize>,
}

/// One of the things that are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Batch,
    Streams,
    Threads,
    Workers,
}

impl Axis {
    pub(super) const ALL: [Self; 4] = [Self::Streams, Self::Batch, Self::Threads, Self::Workers];

    fn of(self, setting: &mut Setting) -> &mut usize {
        match self {
            Self::Batch => &mut setting.batch,
            Self::Streams => &mut setting.streams,
            Self::Threads => &mut setting.threads,
            Self::Workers => &mut setting.workers,
        }
    }
}

impl Space {
    /// Where the search for a network begins: what runs without tuning, as far as it is there.
    pub(super) fn start(&self, network: usize, batch: usize, workers: usize) -> Setting {
        let NetworkSpace { threads, streams } = &self.networks[network];
        let threads = threads.last().copied().unwrap_or(1);
        Setting {
            network,
            threads,
            streams: nearest(streams, OpenVinoSettings::usual_streams(threads)),
            batch: nearest(&self.batches, batch),
            workers: nearest(&self.workers, workers),
        }
    }

    /// The settings that differ from `from` on one axis, those with less of it and those with more,
    /// nearest first. What would idle comes along: a stream needs a thread and a frame of the batch, so
    /// that the batch grows with the streams, and these shrink with batch and threads. Workers, as many
    /// as a batch has frames, grow with it.
    pub(super) fn neighbours(&self, from: Setting, axis: Axis) -> [Vec<Setting>; 2] {
        let network = &self.networks[from.network];
        let values = match axis {
            Axis::Batch => &self.batches,
            Axis::Streams => &network.streams,
            Axis::Threads => &network.threads,
            Axis::Workers => &self.workers,
        };
        let current = *axis.of(&mut { from });
        let with = |&value: &usize| {
            let mut setting = from;
            *axis.of(&mut setting) = value;
            match axis {
                Axis::Streams => {
                    let enough = self.batches.iter().find(|&&batch| batch >= value.max(from.batch));
                    setting.batch = enough.copied().unwrap_or(from.batch);
                }
                Axis::Batch | Axis::Threads => {
                    setting.streams = from.streams.min(nearest(&network.streams, value));
                }
                Axis::Workers => {}
            }
            if setting.batch > from.batch && from.workers >= from.batch {
                setting.workers = nearest(&self.workers, setting.batch).max(from.workers);
            }
            setting
        };
        let possible = |setting: &Setting| setting.streams <= setting.threads;
        let less = values.iter().rev().filter(|&&value| value < current).map(with);
        let more = values.iter().filter(|&&value| value > current).map(with);
        [less.filter(possible).collect(), more.filter(possible).collect()]
    }

    /// All of it, what shares a runtime together.
    pub(super) fn all(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        for (network, NetworkSpace { threads, streams }) in self.networks.iter().enumerate() {
            for &threads in threads {
                for &streams in streams.iter().filter(|&&streams| streams <= threads) {
                    for &batch in &self.batches {
                        for &workers in &self.workers {
                            all.push(Setting { network, threads, streams, batch, workers });
                        }
                    }
                }
            }
        }
        all
    }
}

/// The largest that is not above `wanted`, else the smallest.
fn nearest(ascending: &[usize], wanted: usize) -> usize {
    let below = ascending.iter().rev().find(|&&value| value <= wanted);
    below.or(ascending.first()).copied().unwrap_or(wanted)
}

/// 1, 2, 4, ... below `most`, and `most`.
pub(super) fn doubling(most: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1_usize), |value| value.checked_mul(2));
    powers.take_while(|&value| value < most).chain([most.max(1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space {
            networks: vec![NetworkSpace { threads: vec![1, 2, 3], streams: vec![1, 2] }],
            batches: vec![2, 4, 8],
            workers: vec![1, 2],
        }
    }

    #[test]
    fn it_begins_with_what_would_run_anyway() {
        // Three threads are not shared evenly by two streams, nor by the four that there could be.
        let start = Setting { network: 0, threads: 3, streams: 2, batch: 4, workers: 2 };
        assert_eq!(space().start(0, 4, 9), start);
        assert_eq!(space().start(0, 1, 1), Setting { batch: 2, workers: 1, ..start });
    }

    #[test]
    fn neighbours_differ_in_one_thing_and_what_goes_with_it() {
        let from = Setting { streams: 1, ..space().start(0, 4, 1) };
        let at = |batch| Setting { batch, ..from };
        assert_eq!(space().neighbours(from, Axis::Batch), [vec![at(2)], vec![at(8)]]);
        let [less, more] = space().neighbours(from, Axis::Threads);
        assert_eq!((less.len(), less[0].threads, less[1].threads, more.len()), (2, 2, 1, 0));
        // Two streams need two threads, and two frames.
        let [_, more] = space().neighbours(Setting { batch: 2, ..from }, Axis::Streams);
        assert_eq!(more, [Setting { batch: 2, streams: 2, ..from }]);
        let small = Space { batches: vec![1, 2, 4], ..space() };
        let [_, more] = small.neighbours(Setting { batch: 1, ..from }, Axis::Streams);
        assert_eq!(more, [Setting { batch: 2, streams: 2, workers: 2, ..from }]);
        let from = Setting { streams: 2, ..from };
        let [less, _] = space().neighbours(from, Axis::Threads);
        let fewer = Setting { threads: 1, streams: 1, ..from };
        assert_eq!(less, [Setting { threads: 2, ..from }, fewer]);
        let [less, _] = small.neighbours(from, Axis::Batch);
        let one = Setting { batch: 1, streams: 1, ..from };
        assert_eq!(less, [Setting { batch: 2, ..from }, one]);
    }

    #[test]
    fn all_is_everything_that_can_be_run() {
        let all = space().all();
        // Of threads and streams: 1 1, 2 1, 2 2, 3 1, 3 2.
        assert_eq!(all.len(), 5 * 3 * 2);
        assert!(all.iter().all(|setting| setting.streams <= setting.threads));
        let changes = all.windows(2).filter(|pair| !pair[0].shares_runtime(&pair[1])).count();
        assert_eq!(changes, 4);
    }

    #[test]
    fn lists_double_up_to_the_most() {
        assert_eq!(doubling(1), [1]);
        assert_eq!(doubling(2), [1, 2]);
        assert_eq!(doubling(6), [1, 2, 4, 6]);
        assert_eq!(doubling(8), [1, 2, 4, 8]);
    }
}
