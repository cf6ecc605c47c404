//! How frames become video.

use clap::Args;
use engine::frame::FrameRate;
use engine::pipeline::cores;
use engine::sink::video::{Start, VideoOptions};

use super::within;

/// How frames become video.
#[derive(Args)]
#[command(next_help_heading = "Video")]
pub(crate) struct VideoArgs {
    /// The encoder, as ffmpeg calls it: libx264, libx265, h264_nvenc, ...
    #[arg(long, value_name = "NAME", default_value = "libx264")]
    pub(crate) video_codec: String,
    /// Quality, lower is better [default: what is usual for the encoder, 18 for libx264].
    #[arg(long, value_name = "N")]
    pub(crate) crf: Option<u8>,
    /// The encoder's preset [default: what is usual for it, veryfast for libx264].
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Frames a second: 25, 29.97, 30000/1001, ... The package and the sound keep their speed.
    #[arg(long, value_name = "RATE", default_value_t = FrameRate::DEFAULT)]
    pub(crate) fps: FrameRate,
    /// Threads that encode. The same number gives the same bytes.
    #[arg(
        long,
        value_name = "N",
        default_value_t = cores() as u16,
        value_parser = within::<u16>(1..=256)
    )]
    pub(crate) encoder_threads: u16,
    /// Length of the parts that are encoded one by one; what an interruption costs at most.
    #[arg(long, value_name = "SECONDS", default_value_t = VideoOptions::SEGMENT_SECONDS, value_parser = seconds)]
    pub(crate) segment: f64,
    /// Continue a render that was interrupted, with the parts that are whole.
    #[arg(long, conflicts_with = "restart")]
    pub(crate) resume: bool,
    /// Throw away what an interrupted render left, and begin again.
    #[arg(long)]
    pub(crate) restart: bool,
}

impl VideoArgs {
    /// What to do with the parts that an earlier render left.
    pub(crate) fn start(&self) -> Start {
        match (self.resume, self.restart) {
            (true, _) => Start::Resume,
            (_, true) => Start::Restart,
            _ => Start::New,
        }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.04..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected seconds from 0.04 to 3600".to_owned()),
    }
}
