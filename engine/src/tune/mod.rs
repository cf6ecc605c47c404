//! Which settings make frames fastest on this machine, found by running them: a search along one
//! setting at a time from what would run anyway, then a race of the best.

mod error;
mod search;
mod space;
mod stand;

use std::time::{Duration, Instant};

pub use self::error::TuneError;
pub use self::search::Trial;
use self::search::{Found, exhaust, search};
pub use self::space::Setting;
use self::space::{NetworkSpace, Space, doubling};
use self::stand::Stand;
use crate::backend::BatchLimit;
use crate::pipeline::{CancelToken, DEFAULT_BATCH, StageRates, Stages, ThreadBudget, cores};
use crate::select::{BackendChoice, BackendOptions, Contender, Watch};

/// Frames that the speech must have, so that no run is longer.
pub const FRAMES: u64 = stand::MOST_FRAMES;

/// The largest batch that is tried on a processor, and on a GPU.
const LARGEST_BATCH: [usize; 2] = [8, 16];
/// The most workers and streams that are tried.
const MOST_WORKERS: usize = 16;
const MOST_STREAMS: usize = 8;

/// What to look for.
#[derive(Clone, Debug)]
pub struct TuneOptions {
    /// Sizes of the batch that may be taken; by default 1, 2, 4 and so on.
    pub batches: Option<Vec<usize>>,
    /// Numbers of workers that may be taken; by default 1, 2, 4 and so on.
    pub workers: Option<Vec<usize>>,
    /// The number of streams, where it is given.
    pub streams: Option<usize>,
    /// Where to begin, and what another setting has to beat; `None` is what would run untuned.
    pub from: Option<Setting>,
    /// Time that the search takes, measured from `began`. A run that has begun is finished.
    pub time: Duration,
    /// When that began.
    pub began: Instant,
    /// Whether to measure every setting there is, however long that takes.
    pub exhaustive: bool,
}

impl TuneOptions {
    /// The largest batch that may be tried, for engines and lanes that are made before.
    pub fn largest_batch(&self) -> usize {
        let given = self.batches.iter().flatten().copied().max();
        given.unwrap_or(LARGEST_BATCH[1])
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The fastest, or what takes less and is as fast.
    pub chosen: Trial,
    /// All that were measured, in the order in which that began.
    pub trials: Vec<Trial>,
    /// Each stage of the chosen one alone.
    pub rates: StageRates,
    /// How many settings there are.
    pub possible: usize,
    /// Whether time ran out before the search came to its end.
    pub cut_short: bool,
}

/// Finds the fastest setting for `stages`, whose backend is the one of `contenders` that [`first`]
/// says, set up as it says, and whose speech has [`FRAMES`] frames. `options` are those that the
/// contenders were found with. `observe` takes each setting that was measured, and its frames a second.
///
/// # Errors
/// When a runtime cannot be set up, a run fails, or `cancel` says so.
pub fn tune(
    stages: Stages,
    contenders: &[Contender],
    options: &BackendOptions,
    tune: &TuneOptions,
    watch: &Watch<'_>,
    cancel: &CancelToken,
    observe: &mut dyn FnMut(Setting, f64),
) -> Result<Tuned, TuneError> {
    let space = space(contenders, options, tune, stages.backend.batch_limit());
    let starts = starts(&space, tune);
    let mut stand = Stand {
        running: *starts.first().ok_or(TuneError::Nothing)?,
        stages: Some(stages),
        shelf: Vec::new(),
        contenders,
        options,
        watch,
        cancel,
        began: tune.began,
        time: tune.time,
        observe,
    };
    let found = match tune.exhaustive {
        true => exhaust(&space, &starts, &mut stand)?,
        false => search(&space, &starts, &mut stand)?,
    };
    let Found { chosen, trials, cut_short } = found.ok_or(TuneError::Nothing)?;
    let rates = stand.stage_rates(chosen.setting)?;
    Ok(Tuned { chosen, trials, rates, possible: space.all().len(), cut_short })
}

/// The contender that runs when the search begins, and the options under which it is set up; `None`
/// where there are none.
pub fn first<'a>(
    contenders: &'a [Contender],
    options: &BackendOptions,
    tune: &TuneOptions,
) -> Option<(&'a Contender, BackendOptions)> {
    let space = space(contenders, options, tune, BatchLimit::Any);
    let start = *starts(&space, tune).first()?;
    let contender = contenders.get(start.network)?;
    Some((contender, stand::options(contender, start, options)))
}

/// The first setting of each network, the one to begin with first.
fn starts(space: &Space, tune: &TuneOptions) -> Vec<Setting> {
    let workers = ThreadBudget::auto_workers(DEFAULT_BATCH, cores());
    let start = |network| space.start(network, DEFAULT_BATCH, workers);
    let usual = (0..space.networks.len()).map(start);
    let others = usual.filter(|usual| tune.from.is_none_or(|from| from.network != usual.network));
    tune.from.into_iter().chain(others).collect()
}

fn space(
    contenders: &[Contender],
    options: &BackendOptions,
    tune: &TuneOptions,
    limit: BatchLimit,
) -> Space {
    let on_cpu = contenders.iter().any(Contender::is_on_cpu);
    let mut batches =
        tune.batches.clone().unwrap_or_else(|| doubling(LARGEST_BATCH[usize::from(!on_cpu)]));
    batches.retain(|&batch| limit.instead_of(batch).is_none());
    if let (BatchLimit::Fixed(only) | BatchLimit::UpTo(only), true) = (limit, batches.is_empty()) {
        batches.push(only);
    }
    let workers = tune.workers.clone().unwrap_or_else(|| doubling(cores().min(MOST_WORKERS)));
    let network = |contender: &Contender| {
        let threads = match options.threads {
            None if contender.is_on_cpu() => doubling(cores()),
            threads => vec![threads.unwrap_or(1)],
        };
        let most = threads.last().copied().unwrap_or(1);
        let streams = match (contender.backend, tune.streams) {
            (BackendChoice::OpenVino, None) => doubling(most.min(MOST_STREAMS)),
            (BackendChoice::OpenVino, Some(streams)) => vec![streams],
            _ => vec![1],
        };
        NetworkSpace { threads, streams }
    };
    let networks = contenders.iter().map(network).collect();
    let mut space = Space { networks, batches, workers };
    for list in [&mut space.batches, &mut space.workers] {
        list.sort_unstable();
        list.dedup();
    }
    space
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::PrecisionChoice;

    fn contender(backend: BackendChoice) -> Contender {
        let precision = PrecisionChoice::Auto;
        Contender {
            backend,
            provider: None,
            precision,
            model: None,
            quantized: false,
            worst_psnr_db: None,
        }
    }

    fn tune_options() -> TuneOptions {
        TuneOptions {
            batches: None,
            workers: None,
            streams: None,
            from: None,
            time: Duration::from_secs(60),
            began: Instant::now(),
            exhaustive: false,
        }
    }

    #[test]
    fn each_runtime_has_what_can_be_set_for_it() {
        use BackendChoice::{OnnxRuntime, OpenVino, Simulated, TensorRt};
        let options = BackendOptions::default();
        let of = |backend| {
            let contender = [contender(backend)];
            space(&contender, &options, &tune_options(), BatchLimit::Any)
        };
        assert_eq!(of(OpenVino).networks[0].threads, doubling(cores()));
        assert_eq!(of(OpenVino).networks[0].streams, doubling(cores().min(8)));
        assert_eq!(of(OnnxRuntime).networks[0].threads, doubling(cores()));
        assert_eq!(of(OnnxRuntime).networks[0].streams, [1]);
        assert_eq!(of(OnnxRuntime).batches, [1, 2, 4, 8]);
        for accelerator in [TensorRt, Simulated] {
            let found = of(accelerator);
            assert_eq!(found.networks, [NetworkSpace { threads: vec![1], streams: vec![1] }]);
            assert_eq!(found.batches, [1, 2, 4, 8, 16]);
        }
    }

    #[test]
    fn what_is_given_is_not_searched() {
        let options = BackendOptions { threads: Some(3), ..BackendOptions::default() };
        let given = TuneOptions {
            batches: Some(vec![8, 2, 2]),
            workers: Some(vec![5]),
            streams: Some(2),
            ..tune_options()
        };
        let contenders = [contender(BackendChoice::OpenVino)];
        let found = space(&contenders, &options, &given, BatchLimit::Any);
        let networks = vec![NetworkSpace { threads: vec![3], streams: vec![2] }];
        assert_eq!(found, Space { networks, batches: vec![2, 8], workers: vec![5] });
        let (_, begins) = first(&contenders, &options, &given).unwrap();
        assert_eq!((begins.threads, begins.openvino.streams), (Some(3), Some(2)));
    }

    #[test]
    fn it_begins_where_it_is_told_to() {
        let contenders = [BackendChoice::OpenVino, BackendChoice::OnnxRuntime].map(contender);
        let from = Setting { network: 1, threads: 2, streams: 1, batch: 3, workers: 5 };
        let tune = TuneOptions { from: Some(from), ..tune_options() };
        let options = BackendOptions::default();
        let (contender, begins) = first(&contenders, &options, &tune).unwrap();
        assert_eq!((contender.backend, begins.threads), (BackendChoice::OnnxRuntime, Some(2)));
        let space = space(&contenders, &options, &tune, BatchLimit::Any);
        let starts = starts(&space, &tune);
        assert_eq!((starts.len(), starts[0], starts[1].network), (2, from, 0));
        assert!(first(&[], &options, &tune_options()).is_none());
    }

    #[test]
    fn only_batches_that_the_network_takes_are_tried() {
        let batches = |limit| {
            let contenders = [contender(BackendChoice::OnnxRuntime)];
            space(&contenders, &BackendOptions::default(), &tune_options(), limit).batches
        };
        assert_eq!(batches(BatchLimit::Fixed(4)), [4]);
        assert_eq!(batches(BatchLimit::Fixed(3)), [3]);
        assert_eq!(batches(BatchLimit::UpTo(5)), [1, 2, 4]);
    }
}
