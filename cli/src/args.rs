//! The command line.

mod audio;
mod backend;
mod compare;
mod convert;
mod profile;
mod quantize;
mod tune;
mod video;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::composite::{CompositorChoice, Interpolation};
use engine::dataset::{Inputs, StoreMode};
use engine::pipeline::{MAX_BATCH, MAX_WORKERS, Mode};
use engine::sink::{ImageFormat, SinkError, SinkTarget, is_video};

pub(crate) use self::audio::AudioArgs;
pub(crate) use self::backend::{BackendArgs, BackendChoice};
pub(crate) use self::compare::CompareArgs;
pub(crate) use self::convert::ConvertArgs;
pub(crate) use self::profile::ProfileArgs;
pub(crate) use self::quantize::QuantizeArgs;
pub(crate) use self::tune::TuneArgs;
pub(crate) use self::video::VideoArgs;

/// Audio-driven talking-head video: an avatar package and a network in, composited frames out.
#[derive(Parser)]
#[command(name = "engine-cli", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Measure how fast frames are made, stage by stage.
    #[command(after_help = BENCH_EXAMPLES, allow_negative_numbers = true)]
    Bench(BenchArgs),
    /// Render an avatar package to a video with its sound, to image files or raw video.
    #[command(after_help = RENDER_EXAMPLES, allow_negative_numbers = true)]
    Render(RenderArgs),
    /// Convert an ONNX network to an engine of TensorRT.
    #[command(after_help = convert::EXAMPLES, allow_negative_numbers = true)]
    ConvertEngine(ConvertArgs),
    /// Say how far a network's frames are from those of another, or from its own in full precision.
    #[command(after_help = compare::EXAMPLES, allow_negative_numbers = true)]
    Compare(CompareArgs),
    /// Move a network to 8 bits, calibrated on a package's frames, as far as its frames stay the same.
    #[command(after_help = quantize::EXAMPLES, allow_negative_numbers = true)]
    Quantize(QuantizeArgs),
    /// Find the settings with which frames are made fastest on this machine, and keep them for render,
    /// bench and programs that use the library.
    #[command(after_help = tune::EXAMPLES, allow_negative_numbers = true)]
    Tune(TuneArgs),
    /// Write a complete sample package with drawn frames and a network of the real architecture.
    Sample(SampleArgs),
    /// Say what a package or a model is, and what is wrong with it.
    Inspect(InspectArgs),
    /// Say what this machine offers, and what to do about what is missing.
    Doctor(DoctorArgs),
}

const BENCH_EXAMPLES: &str = "\
Examples:
  engine-cli bench --batch 4 --workers 4
      The sample package (made on first use) on ONNX Runtime.
  engine-cli bench --batch 1,4,8 --workers 1,2,4 --json grid.json
      A grid of settings; the file is rewritten after every run.
  engine-cli bench --batch 1,4,8 --workers 1,2,4 --html grid.html --trace trace.json
      The same as a page with charts, and the fastest run for ui.perfetto.dev.
  engine-cli bench --backend simulated --simulated-ms 8.18 --batch 4 --workers 4 --frames 400
      The pipeline itself, with an accelerator of 8.18 ms a frame simulated.";

const RENDER_EXAMPLES: &str = "\
Examples:
  engine-cli render avatar/ -o frames/
      One PNG for every row of the package's features.
  engine-cli render avatar/ -o out.mp4 --audio speech.wav --audio-encoder encoder.onnx
      A video with sound. After Ctrl-C or a crash, the same with --resume continues it.
  engine-cli render avatar/ -o out.mp4 --features speech.npy --audio speech.wav
      The same from features that were made before.
  engine-cli render avatar/ -o raw:- | \\
      ffmpeg -f rawvideo -pix_fmt bgr24 -s 1280x720 -r 25 -i - out.avi
      Raw frames to a program of your own.";

/// How frames are read and made.
#[derive(Args)]
pub(crate) struct FrameArgs {
    /// Network inputs: the package's stored rois and masked rois, or both derived from the crops.
    #[arg(long, default_value = "package", value_name = "package|derived")]
    pub(crate) inputs: Inputs,
    /// Keep the package's frames in RAM, or decode them ahead. auto: RAM if they fit the budget.
    #[arg(long, default_value = "auto", value_name = "auto|ram|stream")]
    pub(crate) frame_store: StoreMode,
    /// Memory that the package's frames may take in RAM.
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = bytes)]
    pub(crate) ram_budget: u64,
    /// What pastes the predictions into the frames; all give the same bytes. cpu: the fastest of this
    /// CPU. cuda: the GPU that runs the network, with TensorRT or --provider cuda, which then keeps
    /// the package's frames and sends patches instead of predictions. auto: cpu, or cuda where a
    /// moment's measurement finds it faster.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|scalar|avx2|avx512|opencv|cuda")]
    pub(crate) compositor: CompositorChoice,
    /// How crops are resized: linear as this engine's Python peers do, cubic as in training.
    #[arg(long, default_value = "linear", value_name = "linear|cubic")]
    pub(crate) interpolation: Interpolation,
    /// All stages at once, or one after the other.
    #[arg(long, default_value = "pipelined", value_name = "pipelined|sequential")]
    pub(crate) mode: Mode,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Frames per run of the network; a list makes a grid [default: what tune found, else 4].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = batch)]
    pub(crate) batch: Vec<usize>,
    /// Compositing workers: a number, or auto for the smaller of batch and cores; a list makes a grid
    /// [default: what tune found, else auto].
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    pub(crate) workers: Vec<Workers>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// The avatar package [default: a sample package, made in the cache folder on first use].
    #[arg(long, value_name = "DIR")]
    pub(crate) package: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    #[command(flatten)]
    pub(crate) frame: FrameArgs,
    /// Feature rows [default: the package's]; they repeat where a run is longer.
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) features: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) audio: AudioArgs,
    /// Where the frames go: null, png:DIR, jpg:DIR, video:FILE, raw:FILE.
    #[arg(long, default_value = "null", value_name = "SINK")]
    pub(crate) sink: SinkTarget,
    /// Frames per run.
    #[arg(long, default_value_t = 100, value_parser = within::<u64>(1..=10_000_000))]
    pub(crate) frames: u64,
    /// Frames that are rendered first, with the same settings, and not counted.
    #[arg(long, default_value_t = 8, value_parser = within::<u64>(0..=10_000_000))]
    pub(crate) warmup: u64,
    /// Runs per setting; the median one is reported, and the range.
    #[arg(long, default_value_t = 1, value_parser = within::<u64>(1..=1000))]
    pub(crate) repeat: u64,
    /// Write the results as JSON, rewritten after every run.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the table as CSV, rewritten after every run.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the table as Markdown, rewritten after every run.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write the results as a page for a browser: charts of the grid, of where the time went, of the
    /// first batches and of latencies, in one file without links; rewritten after every run.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write when what was done to which batch of the fastest run, as a trace that ui.perfetto.dev
    /// opens; rewritten whenever a run is the fastest so far.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) trace: Option<PathBuf>,
    /// How many of a run's batches the trace has, from the first on; about 1.5 kB each.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        requires = "trace",
        value_parser = within::<usize>(1..=1_000_000)
    )]
    pub(crate) trace_batches: usize,
}

#[derive(Args)]
pub(crate) struct RenderArgs {
    /// The avatar package.
    pub(crate) package: PathBuf,
    /// Where the frames go: a video (.mp4, .mov, .mkv), a folder (PNG files), or png:DIR, jpg:DIR,
    /// video:FILE, raw:FILE (- is stdout), null.
    #[arg(short, long, value_name = "FILE.mp4|DIR|SINK", value_parser = output)]
    pub(crate) output: SinkTarget,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    #[command(flatten)]
    pub(crate) frame: FrameArgs,
    /// Feature rows, one a frame [default: the package's].
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) features: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) audio: AudioArgs,
    /// Frames to render [default: as many as there are feature rows].
    #[arg(long, value_name = "N", value_parser = within::<u64>(1..=1_000_000_000))]
    pub(crate) frames: Option<u64>,
    /// Frames per run of the network [default: what tune found, else 4].
    #[arg(long, value_name = "N", value_parser = batch)]
    pub(crate) batch: Option<usize>,
    /// Compositing workers: a number, or auto for the smaller of batch and cores [default: what tune
    /// found, else auto].
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<Workers>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// Also write evenly spaced frames as one picture.
    #[arg(long, value_name = "FILE.png")]
    pub(crate) contact_sheet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) video: VideoArgs,
    /// No progress bar and no summary.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Say how far it is as JSON, one object a line, on stdout.
    #[arg(long)]
    pub(crate) json_progress: bool,
}

#[derive(Args)]
pub(crate) struct SampleArgs {
    /// The folder to write.
    pub(crate) folder: PathBuf,
    /// Background frames, and feature rows.
    #[arg(long, default_value_t = 100, value_parser = within::<u64>(1..=100_000))]
    pub(crate) frames: u64,
    /// Size of the background frames.
    #[arg(long, default_value = "1280x720", value_name = "WxH", value_parser = size)]
    pub(crate) size: engine::frame::Size,
    /// Side of the network's image input.
    #[arg(long, default_value_t = 320)]
    pub(crate) side: usize,
    /// Write the frames as image files instead of videos.
    #[arg(long, value_name = "png|jpg", value_parser = sample_images)]
    pub(crate) images: Option<ImageFormat>,
    /// The network: the real architecture with seeded weights, a tiny one of exact arithmetic, or one
    /// that opens a drawn mouth with the sound.
    #[arg(long, value_enum, default_value_t = NetworkChoice::Unet)]
    pub(crate) network: NetworkChoice,
    /// Fix the network's batch dimension, as many exports do.
    #[arg(long, value_name = "N", value_parser = within::<u16>(1..=1024))]
    pub(crate) fixed_batch: Option<u16>,
    /// Take the rectangles from this crop_rectangles.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) rects: Option<PathBuf>,
    /// Seed of everything that is random.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
}

/// Which network a sample package gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkChoice {
    /// The real architecture.
    Unet,
    /// Exact arithmetic, for comparing bytes.
    Probe,
    /// A drawn mouth that opens with the sound, for looking at.
    Demo,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// A package folder or an ONNX file.
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// The ONNX Runtime library to look at.
    #[arg(long, value_name = "FILE")]
    pub(crate) ort_lib: Option<PathBuf>,
    /// The OpenVINO library to look at, or its folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) openvino_lib: Option<PathBuf>,
    /// The folder with the TensorRT libraries to look at [default: $TENSORRT_LIB_DIR, else the usual
    /// places].
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorrt_lib: Option<PathBuf>,
}

/// `--workers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    Auto,
    Count(usize),
}

impl FromStr for Workers {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let count = within(1..=MAX_WORKERS)(text);
        count.map(Self::Count).map_err(|expected| format!("{expected}, or auto"))
    }
}

fn batch(text: &str) -> Result<usize, String> {
    within(1..=MAX_BATCH)(text)
}

/// Reads a whole number in `range`. clap's own words for what is none are Rust's.
fn within<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let in_range = text.parse().ok().filter(|number| range.contains(number));
        in_range.ok_or_else(|| format!("expected {} to {}", range.start(), range.end()))
    }
}

/// A bare path is a video if it is named like one, else a folder of PNG files.
fn output(text: &str) -> Result<SinkTarget, String> {
    let path = Path::new(text);
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.map(str::to_ascii_lowercase);
    match text.parse() {
        Err(_) if text == "-" => {
            Err("frames go to standard output as raw:-; a folder of that name is ./-".to_owned())
        }
        Err(_) if [".mp4", ".mov", ".mkv"].iter().any(|bare| path.ends_with(bare)) => {
            Err("there is no name before the ending; expected one such as out.mp4".to_owned())
        }
        Err(_) if !text.is_empty() && !text.contains(':') => match extension.as_deref() {
            _ if is_video(path) => Ok(SinkTarget::Video(text.into())),
            Some(other @ ("avi" | "webm" | "gif" | "m4v" | "ts")) => Err(format!(
                "videos are written as .mp4, .mov or .mkv, not .{other} (png:{text} makes a folder \
                 of that name)"
            )),
            Some("raw" | "rgb" | "bgr" | "yuv") => Err(format!(
                "raw video is written with raw:{text} (png:{text} makes a folder of that name)"
            )),
            _ => Ok(SinkTarget::Images { dir: text.into(), format: ImageFormat::Png }),
        },
        parsed => parsed.map_err(|error: SinkError| error.to_string()),
    }
}

fn size(text: &str) -> Result<engine::frame::Size, String> {
    let expected = || "expected WIDTHxHEIGHT with sides of 64 to 8192, such as 1280x720".to_owned();
    let (width, height) = text.split_once('x').ok_or_else(expected)?;
    let side = |text: &str| text.parse().ok().filter(|side| (64..=8192).contains(side));
    match (side(width), side(height)) {
        (Some(width), Some(height)) => Ok(engine::frame::Size::new(width, height)),
        _ => Err(expected()),
    }
}

fn sample_images(text: &str) -> Result<ImageFormat, String> {
    match text {
        "png" => Ok(ImageFormat::Png),
        "jpg" => Ok(ImageFormat::Jpg),
        _ => Err("expected png or jpg".to_owned()),
    }
}

/// Bytes: a number with an optional suffix k, M, G (1000s) or KiB, MiB, GiB (1024s).
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        _ => return Err("expected a size such as 800MiB or 2GiB".to_owned()),
    };
    let number: u64 =
        number.parse().map_err(|_| "expected a size such as 800MiB or 2GiB".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is more bytes than there can be".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn counts_have_a_range() {
        assert_eq!((batch("1"), batch("256")), (Ok(1), Ok(256)));
        for text in ["0", "257", "-1", "1.5", "", "four", "99999999999999999999999"] {
            assert_eq!(batch(text), Err("expected 1 to 256".to_owned()), "{text}");
            assert_eq!(text.parse::<Workers>(), Err("expected 1 to 256, or auto".to_owned()));
        }
        assert_eq!("auto".parse(), Ok(Workers::Auto));
    }

    #[test]
    fn a_bare_output_is_a_folder_of_png_files() {
        assert_eq!(output("a/b").map(|target| target.to_string()).unwrap(), "png:a/b");
        assert_eq!(output("raw:-").map(|target| target.to_string()).unwrap(), "raw:-");
        assert!(output("").is_err() && output("png:").is_err() && output("gif:a").is_err());
        assert_eq!(output("a/out.mp4"), Ok(SinkTarget::Video("a/out.mp4".into())));
        assert_eq!(output("video:out.mkv"), Ok(SinkTarget::Video("out.mkv".into())));
        assert!(output("out.avi").unwrap_err().contains(".mp4, .mov or .mkv"));
        assert_eq!(output("OUT.MP4"), Ok(SinkTarget::Video("OUT.MP4".into())));
        assert!(output("OUT.AVI").unwrap_err().contains("not .avi"));
        assert!(
            output("out.raw").unwrap_err().starts_with("raw video is written with raw:out.raw")
        );
        assert!(output("-").unwrap_err().contains("raw:-"));
        assert!(output("a/.mp4").unwrap_err().contains("no name before"));
        assert!(output("video:out").is_err());
        assert_eq!(output("png:out.mp4").map(|target| target.to_string()).unwrap(), "png:out.mp4");
    }

    #[test]
    fn sizes_in_bytes() {
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert_eq!(bytes("800M"), Ok(800_000_000));
        assert_eq!(bytes("512"), Ok(512));
        assert!(bytes("GiB").is_err() && bytes("1TB").is_err() && bytes("-1").is_err());
        assert!(bytes("99999999999GiB").is_err());
    }

    #[test]
    fn sizes_in_pixels() {
        assert_eq!(size("1280x720"), Ok(engine::frame::Size::new(1280, 720)));
        assert!(size("1280").is_err() && size("0x720").is_err() && size("axb").is_err());
    }
}
