//! `compare`.

use std::path::PathBuf;

use clap::Args;
use engine::composite::Interpolation;
use engine::dataset::Inputs;

use super::backend::{BackendArgs, BackendChoice};
use super::within;

pub(super) const EXAMPLES: &str = "\
Examples:
  engine-cli compare model.onnx smaller.onnx --package avatar/
      How far the frames of another network are from those of model.onnx.
  engine-cli compare model.onnx model.engine --package avatar/ --picture worst.png
      What TensorRT makes of a network; the worst frames as a picture.
  engine-cli compare model.onnx model.onnx --package avatar/ --backend openvino --precision bf16
      What a precision costs.
  engine-cli compare a.onnx b.onnx --package avatar/ --all --json quality.json
      Every frame of the package, and a file for programs.

The exit status is 1 where a frame is below --min-psnr, so that a script can stop there.";

#[derive(Args)]
// The candidate is the model.
#[command(mut_arg("model", |model| model.hide(true).conflicts_with("candidate")))]
pub(crate) struct CompareArgs {
    /// The network to compare with: an ONNX file, which runs on ONNX Runtime on the CPU in full
    /// precision, or an engine.
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: PathBuf,
    /// The network that is judged, an ONNX file or an engine. It runs as the options below say; with
    /// --precision auto in full precision, and a quantized network as it is.
    #[arg(value_name = "CANDIDATE")]
    pub(crate) candidate: PathBuf,
    /// The avatar package whose frames are made.
    #[arg(long, value_name = "DIR")]
    pub(crate) package: PathBuf,
    /// Frames to compare, evenly spaced over the package, the first and the last among them; all of
    /// them where there are fewer.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = within::<u32>(1..=1_000_000_000))]
    pub(crate) frames: u32,
    /// Compare every frame of the package. Both networks' rectangles are kept in memory, 0.2 MB a
    /// frame where they are 180 pixels wide.
    #[arg(long, conflicts_with = "frames")]
    pub(crate) all: bool,
    /// How many of the worst frames are listed and on the picture.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = within::<u8>(1..=20))]
    pub(crate) worst: u8,
    /// Write the worst frames as a picture: reference, candidate, and their difference, 8 times
    /// amplified.
    #[arg(long, value_name = "FILE.png")]
    pub(crate) picture: Option<PathBuf>,
    /// Write what was found out as JSON, every frame of it.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// What runs the reference [default: onnxruntime, or tensorrt for an engine].
    #[arg(long, value_enum)]
    pub(crate) reference_backend: Option<BackendChoice>,
    /// Network inputs: the package's stored rois and masked rois, or both derived from the crops.
    #[arg(long, default_value = "package", value_name = "package|derived")]
    pub(crate) inputs: Inputs,
    /// How crops are resized to the rectangles.
    #[arg(long, default_value = "linear", value_name = "linear|cubic")]
    pub(crate) interpolation: Interpolation,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
}
