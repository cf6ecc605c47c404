//! What kind of video is wanted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Ffmpeg, VideoError};
use crate::frame::FrameRate;
use crate::threads::cores;

/// What kind of video is wanted.
#[derive(Clone)]
pub struct VideoOptions {
    /// The program that encodes.
    pub ffmpeg: Ffmpeg,
    /// The encoder and its settings.
    pub codec: Codec,
    /// Frames a second.
    pub rate: FrameRate,
    /// Threads that encode. The same number gives the same bytes.
    pub threads: usize,
    /// Frames in a segment, at least 1: what an interruption costs at most. A multiple of the batch,
    /// so that batches hold the same frames after it.
    pub segment: u64,
    /// The sound that goes with it.
    pub sound: Option<Sound>,
    /// Takes a line about what is being done, such as that segments are joined.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

impl VideoOptions {
    /// H.264 at 25 frames a second by the ffmpeg on PATH, in segments of half a minute, on all cores,
    /// without sound.
    ///
    /// # Errors
    /// When there is no ffmpeg.
    pub fn usual() -> Result<Self, VideoError> {
        Ok(Self {
            ffmpeg: Ffmpeg::find(Path::new("ffmpeg"))?,
            codec: Codec::default(),
            rate: FrameRate::DEFAULT,
            threads: cores(),
            segment: FrameRate::DEFAULT.frames_in(Self::SEGMENT_SECONDS),
            sound: None,
            say: Arc::new(|_| ()),
        })
    }

    /// The usual length of a segment.
    pub const SEGMENT_SECONDS: f64 = 30.0;
}

/// The sound of a video: cut to its length, or followed by silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Anything that ffmpeg reads; its first audio stream is taken.
    pub file: PathBuf,
}

/// A video encoder of ffmpeg's, and how well it is to encode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    name: String,
    quality: Option<u8>,
    preset: Option<String>,
}

/// How an encoder takes its settings.
struct Family {
    /// Names of encoders, or the ends of such names after a `_`.
    names: &'static [&'static str],
    /// The option for quality, and its largest value.
    quality: (&'static str, u8),
    /// Quality and preset where none are given.
    default: (u8, Option<&'static str>),
    /// What else it needs.
    more: &'static [&'static str],
}

const FAMILIES: [Family; 5] = [
    Family {
        names: &["libx264", "libx265"],
        quality: ("-crf", 51),
        default: (18, Some("veryfast")),
        more: &[],
    },
    // Constant quality instead of a bit rate.
    Family {
        names: &["nvenc"],
        quality: ("-cq", 51),
        default: (19, Some("p4")),
        more: &["-b:v", "0"],
    },
    Family {
        names: &["libvpx-vp9"],
        quality: ("-crf", 63),
        default: (24, None),
        more: &["-b:v", "0"],
    },
    Family { names: &["libsvtav1"], quality: ("-crf", 63), default: (28, Some("8")), more: &[] },
    Family {
        names: &["libaom-av1"],
        quality: ("-crf", 63),
        default: (28, None),
        more: &["-b:v", "0"],
    },
];

impl Codec {
    /// The encoder `name` as ffmpeg calls it, with the quality (lower is better) and the preset that
    /// are given or usual for it.
    ///
    /// # Errors
    /// [`VideoError::Codec`] for a name that cannot be one, a quality that the encoder does not take,
    /// or one for an encoder whose scale is not known here.
    pub fn new(name: &str, quality: Option<u8>, preset: Option<&str>) -> Result<Self, VideoError> {
        let refuse = |problem: String| VideoError::Codec { name: name.to_owned(), problem };
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        if !plain(name) || name.starts_with('-') {
            return Err(refuse(
                "is no name of an encoder; expected one such as libx264".to_owned(),
            ));
        }
        if preset.is_some_and(|preset| !plain(preset) || preset.starts_with('-')) {
            return Err(refuse("has no such preset; expected a name such as fast".to_owned()));
        }
        let family = family(name);
        match (family, quality) {
            (Some(Family { quality: (_, most), .. }), Some(asked)) if asked > *most => {
                return Err(refuse(format!("takes a quality of 0 to {most}, not {asked}")));
            }
            (None, Some(_)) => {
                return Err(refuse("has no scale of quality that is known here".to_owned()));
            }
            _ => {}
        }
        let usual = family.map(|family| family.default);
        Ok(Self {
            name: name.to_owned(),
            quality: quality.or(usual.map(|(quality, _)| quality)),
            preset: preset.or(usual.and_then(|(_, preset)| preset)).map(str::to_owned),
        })
    }

    /// As ffmpeg calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name and settings in one line.
    pub fn describe(&self) -> String {
        let mut text = self.name.clone();
        if let Some(preset) = &self.preset {
            text.push_str(&format!(" {preset}"));
        }
        if let Some(quality) = self.quality {
            text.push_str(&format!(" quality {quality}"));
        }
        text
    }

    /// ffmpeg's arguments for it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-c:v".to_owned(), self.name.clone()];
        if let Some(preset) = &self.preset {
            arguments.extend(["-preset".to_owned(), preset.clone()]);
        }
        if let (Some(family), Some(quality)) = (family(&self.name), self.quality) {
            arguments.extend([family.quality.0.to_owned(), quality.to_string()]);
            arguments.extend(family.more.iter().map(|&more| more.to_owned()));
        }
        arguments
    }
}

impl Default for Codec {
    fn default() -> Self {
        Self { name: "libx264".to_owned(), quality: Some(18), preset: Some("veryfast".to_owned()) }
    }
}

fn family(name: &str) -> Option<&'static Family> {
    let ending = name.rsplit('_').next().unwrap_or(name);
    FAMILIES.iter().find(|family| family.names.contains(&name) || family.names.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoders_get_their_own_options() {
        let arguments =
            |name, quality, preset| Codec::new(name, quality, preset).unwrap().arguments();
        assert_eq!(Codec::new("libx264", None, None).unwrap(), Codec::default());
        let x264 = arguments("libx264", Some(23), Some("slow"));
        assert_eq!(x264, ["-c:v", "libx264", "-preset", "slow", "-crf", "23"]);
        let nvenc = arguments("h264_nvenc", None, None);
        assert_eq!(nvenc, ["-c:v", "h264_nvenc", "-preset", "p4", "-cq", "19", "-b:v", "0"]);
        assert_eq!(arguments("mpeg4", None, None), ["-c:v", "mpeg4"]);
        assert_eq!(Codec::default().describe(), "libx264 veryfast quality 18");
    }

    #[test]
    fn what_no_encoder_takes_is_refused() {
        for (name, quality, preset, part) in [
            ("", None, None, "no name of an encoder"),
            ("-i", None, None, "no name of an encoder"),
            ("a b", None, None, "no name of an encoder"),
            ("libx264", Some(52), None, "0 to 51"),
            ("mpeg4", Some(3), None, "no scale"),
            ("libx264", None, Some("-y"), "no such preset"),
        ] {
            let error = Codec::new(name, quality, preset).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
