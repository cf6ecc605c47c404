//! How many threads do what.

use std::fmt;

/// Largest accepted batch.
pub const MAX_BATCH: usize = 256;

/// Frames per run of the network where nothing else is said.
pub const DEFAULT_BATCH: usize = 4;

/// Largest accepted number of compositing workers.
pub const MAX_WORKERS: usize = 256;

/// The threads of a run that can be busy at one time, against the cores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadBudget {
    /// Cores that this process may use.
    pub cores: usize,
    /// Threads that run the network.
    pub backend: usize,
    /// Compositing workers.
    pub workers: usize,
    /// Threads that decode ahead; 0 when all frames are in RAM.
    pub decoder: usize,
    /// Threads that encode and write frames; 0 for a sink that costs nothing.
    pub sink: usize,
}

impl ThreadBudget {
    /// Compositing workers when nobody says: one a frame of the batch, at most one a core.
    pub fn auto_workers(batch: usize, cores: usize) -> usize {
        batch.min(cores).max(1)
    }
}

impl fmt::Display for ThreadBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, backend, workers, decoder, sink } = self;
        write!(
            f,
            "backend {backend}, composite {workers}, decoder {decoder}, sink {sink}; {cores} cores"
        )?;
        for (name, threads) in [("backend", backend), ("composite", workers)] {
            if threads > cores {
                write!(f, " (more {name} threads than cores)")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_workers_is_the_smaller_of_batch_and_cores() {
        assert_eq!(ThreadBudget::auto_workers(4, 2), 2);
        assert_eq!(ThreadBudget::auto_workers(1, 16), 1);
        assert_eq!(ThreadBudget::auto_workers(8, 16), 8);
    }

    #[test]
    fn says_when_the_cores_do_not_suffice() {
        let budget = ThreadBudget { cores: 2, backend: 2, workers: 2, decoder: 1, sink: 1 };
        assert_eq!(budget.to_string(), "backend 2, composite 2, decoder 1, sink 1; 2 cores");
        let budget = ThreadBudget { workers: 8, ..budget };
        assert!(budget.to_string().ends_with("2 cores (more composite threads than cores)"));
    }
}
