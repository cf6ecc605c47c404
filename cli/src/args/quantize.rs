//! `quantize`.

use std::path::PathBuf;

use clap::Args;
use engine::dataset::Inputs;
use engine::quality::DEFAULT_MIN_PSNR_DB;
use engine::quantize::DEFAULT_FRAMES;

use super::backend::decibels;
use super::within;

pub(super) const EXAMPLES: &str = "\
Examples:
  engine-cli quantize avatar/checkpoint/model_best.onnx
      Writes avatar/checkpoint/model_best.int8.onnx, calibrated on the package that the network
      lies in.
  engine-cli quantize model.onnx --package avatar/ -o small.onnx --min-psnr 45
      Another network and package; more layers stay in floats until every frame reaches 45 dB.
  engine-cli render avatar/ -o out.mp4 --model avatar/checkpoint/model_best.int8.onnx
      Run it.

Calibrate on the avatar and the kind of speech that will be rendered. The float network stays what
everything is compared with: keep it.";

#[derive(Args)]
pub(crate) struct QuantizeArgs {
    /// The network: an ONNX file in float32, or a package that holds one.
    pub(crate) model: PathBuf,
    /// The network to write [default: beside the network, named .int8.onnx].
    #[arg(short, long, value_name = "FILE.onnx", value_parser = onnx_file)]
    pub(crate) output: Option<PathBuf>,
    /// The package whose frames and features the ranges are taken from, and that decides how good the
    /// result is [default: the one that the network lies in].
    #[arg(long, value_name = "DIR")]
    pub(crate) package: Option<PathBuf>,
    /// Frames to calibrate on, evenly spaced over the package, all where it has fewer; up to 8 others
    /// decide.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_FRAMES as u64, value_parser = within::<u64>(1..=4096))]
    pub(crate) frames: u64,
    /// How close the worst frame has to come to that of the float network, inside its rectangle, in
    /// dB, with half a decibel to spare. Layers go back to floats until it does.
    #[arg(long, value_name = "DB", default_value_t = DEFAULT_MIN_PSNR_DB, value_parser = decibels)]
    pub(crate) min_psnr: f64,
    /// Network inputs: the package's stored rois and masked rois, or both derived from the crops.
    #[arg(long, default_value = "package", value_name = "package|derived")]
    pub(crate) inputs: Inputs,
    /// The ONNX Runtime library [default: $ORT_DYLIB_PATH, else what scripts/setup installed].
    #[arg(long, value_name = "FILE")]
    pub(crate) ort_lib: Option<PathBuf>,
    /// CPU threads that run the network [default: one a core].
    #[arg(long, value_name = "N", value_parser = within::<u16>(1..=1024))]
    pub(crate) threads: Option<u16>,
}

fn onnx_file(text: &str) -> Result<PathBuf, String> {
    match text.ends_with(".onnx") {
        true => Ok(PathBuf::from(text)),
        false => Err("expected a name that ends in .onnx".to_owned()),
    }
}
