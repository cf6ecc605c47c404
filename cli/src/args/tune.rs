//! `tune`.

use std::path::PathBuf;

use clap::Args;
use engine::pipeline::MAX_WORKERS;

use super::{AudioArgs, BackendArgs, FrameArgs, batch, within};

pub(super) const EXAMPLES: &str = "\
Examples:
  engine-cli tune --package avatar/
      Looks for the best runtime, precision, batch, workers, threads and streams, and keeps them:
      `render avatar/` and `bench --package avatar/` use them from then on.
  engine-cli tune --package avatar/ --backend openvino --precision fp32 --batch 1
      Only what is left open is searched.
  engine-cli tune --package avatar/ -o here.json --json trials.json
      The profile as a file, for --profile here.json, and the settings that were measured.
  engine-cli tune --package avatar/ --from here.json --exhaustive
      Whether any setting there is beats that profile.

Nothing else should run on the machine meanwhile. Saving is not part of it: frames are made and thrown
away.";

#[derive(Args)]
pub(crate) struct TuneArgs {
    /// The avatar package [default: a sample package, made in the cache folder on first use].
    #[arg(long, value_name = "DIR")]
    pub(crate) package: Option<PathBuf>,
    /// The file to write the settings to [default: the cache folder, where render, bench and the
    /// library find them].
    #[arg(short, long, value_name = "FILE.json")]
    pub(crate) output: Option<PathBuf>,
    /// Sizes of the batch that may be taken [default: 1, 2, 4 and 8; on an accelerator 16, too].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = batch)]
    pub(crate) batch: Vec<usize>,
    /// Numbers of compositing workers that may be taken [default: 1, 2, 4, ... and one a core, at
    /// most 16].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = within::<usize>(1..=MAX_WORKERS))]
    pub(crate) workers: Vec<usize>,
    /// Seconds after which nothing more is measured, the comparison of runtimes included; what has begun
    /// is finished. Loading the package is not counted.
    #[arg(long, value_name = "S", default_value_t = 50, value_parser = within::<u64>(1..=86_400))]
    pub(crate) seconds: u64,
    /// A profile to begin with: its setting is what another has to beat, instead of the defaults.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) from: Option<PathBuf>,
    /// Measure every setting there is, however long that takes.
    #[arg(long)]
    pub(crate) exhaustive: bool,
    /// Write the settings that were measured as JSON. Their frames a second compare where `rounds` are
    /// the same: those with fewer ran at another time, and machines change their speed.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    #[command(flatten)]
    pub(crate) frame: FrameArgs,
    /// Feature rows [default: the package's]; they repeat.
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) features: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) audio: AudioArgs,
}
