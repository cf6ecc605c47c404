//! `--audio`: sound in the place of features.

use std::path::PathBuf;

use clap::Args;

/// Which sound the frames are made for.
#[derive(Args)]
pub(crate) struct AudioArgs {
    /// Make the features of this sound, and give it to the video: any file that ffmpeg decodes,
    /// whatever its rate, channels and format. With --features, whose rows then decide, it is the
    /// video's sound only, cut or followed by silence.
    #[arg(long, value_name = "FILE")]
    pub(crate) audio: Option<PathBuf>,
    /// The encoder that makes features of sound [default: the package's
    /// checkpoint/audio_encoder.onnx].
    #[arg(long, value_name = "FILE.onnx", requires = "audio")]
    pub(crate) audio_encoder: Option<PathBuf>,
    /// The ffmpeg to run; a name is looked for on PATH.
    #[arg(long, value_name = "PROGRAM", default_value = "ffmpeg")]
    pub(crate) ffmpeg: PathBuf,
}
