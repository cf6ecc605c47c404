//! `convert-engine`.

use std::path::PathBuf;

use clap::Args;
use engine::batch::BatchRange;
use engine::onnx::precision::Precision;

use super::backend::FlavourChoice;
use super::{bytes, within};

pub(super) const EXAMPLES: &str = "\
Examples:
  engine-cli convert-engine avatar/checkpoint/model_best.onnx -o avatar.engine
      An engine for batches of 1 to 16, with the first TensorRT that is found.
  engine-cli convert-engine avatar/checkpoint/model_best.onnx -o avatar.engine \\
      --precision fp16 --batch 1:8:8 --verify-graph
      Half precision, fastest at batch 8; refused if it predicts other faces than the network.
  engine-cli render avatar/ -o frames/ --model avatar.engine
      Run it.

An engine belongs to one version of TensorRT, and unless it is of TensorRT-RTX or made with
--hardware-compatible to one kind of GPU: build it where it is to run. FILE.engine.json beside it
says what it was made of, FILE.engine.log what TensorRT said.";

#[derive(Args)]
pub(crate) struct ConvertArgs {
    /// The network: an ONNX file, or a package that holds one.
    pub(crate) model: PathBuf,
    /// The engine to write [default: beside the network, named .engine].
    #[arg(short, long, value_name = "FILE.engine", value_parser = engine_file)]
    pub(crate) output: Option<PathBuf>,
    /// What the engine computes in. fp16 is faster on every GPU with tensor cores, and not the same
    /// to the last bit.
    #[arg(long, default_value = "fp32", value_name = "fp32|fp16")]
    pub(crate) precision: Precision,
    /// Frames per run: the smallest, the one to be fastest at, the largest; one number for all.
    #[arg(long, value_name = "MIN:OPT:MAX", default_value_t)]
    pub(crate) batch: BatchRange,
    /// Which TensorRT builds the engine, and will run it. auto: the first that is found.
    #[arg(long, default_value = "auto", value_name = "auto|rtx|11|10")]
    pub(crate) flavour: FlavourChoice,
    /// The folder with the TensorRT libraries [default: $TENSORRT_LIB_DIR, else the usual places].
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorrt_lib: Option<PathBuf>,
    /// The GPU to build for, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within::<u8>(0..=63))]
    pub(crate) device: u8,
    /// Device memory that layers may use while they run [default: all there is].
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) workspace: Option<u64>,
    /// A file in which TensorRT keeps what it finds out about kernels, to be faster next time.
    #[arg(long, value_name = "FILE")]
    pub(crate) timing_cache: Option<PathBuf>,
    /// Also run with later minor versions of the same TensorRT, somewhat slower; running it then
    /// needs --trust-engine.
    #[arg(long)]
    pub(crate) version_compatible: bool,
    /// Also run on other GPUs from Ampere on, somewhat slower.
    #[arg(long)]
    pub(crate) hardware_compatible: bool,
    /// First compare the converted graph with the network on ONNX Runtime, over frames of the
    /// package; below 45 dB (37 for a quantized network) no engine is made.
    #[arg(long)]
    pub(crate) verify_graph: bool,
    /// The package for --verify-graph [default: the one that the network lies in].
    #[arg(long, value_name = "DIR", requires = "verify_graph")]
    pub(crate) package: Option<PathBuf>,
    /// The ONNX Runtime library for --verify-graph [default: $ORT_DYLIB_PATH, else what scripts/setup
    /// installed].
    #[arg(long, value_name = "FILE", requires = "verify_graph")]
    pub(crate) ort_lib: Option<PathBuf>,
    /// Make the engine even if --verify-graph finds it too far from the network.
    #[arg(long, requires = "verify_graph")]
    pub(crate) force: bool,
    /// Where TensorRT's messages go [default: beside the engine, named .log].
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

/// Other commands know engines by their names.
fn engine_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match engine::select::is_engine(&path) && !text.ends_with('/') {
        true => Ok(path),
        false => Err("expected a name that ends in .engine, .plan or .trt".to_owned()),
    }
}
