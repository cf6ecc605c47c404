//! From arguments to a video that can be begun: encoder, sound, and what decides its bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use engine::dataset::{Features, Package};
use engine::file::FileHash;
use engine::pipeline::Stages;
use engine::sink::video::{Codec, Ffmpeg, Identity, Sound, VideoOptions};

use crate::args::{AudioArgs, FrameArgs, VideoArgs};
use crate::output::note;

/// How `args` want a video encoded, with the sound of `audio`. `batch` is what segments are a
/// multiple of.
pub(crate) fn options(
    args: &VideoArgs,
    audio: &AudioArgs,
    batch: usize,
    quiet: bool,
) -> Result<VideoOptions> {
    let batch = batch as u64;
    let segment = args.fps.frames_in(args.segment).div_ceil(batch) * batch;
    Ok(VideoOptions {
        ffmpeg: Ffmpeg::find(&audio.ffmpeg)?,
        codec: Codec::new(&args.video_codec, args.crf, args.preset.as_deref())?,
        rate: args.fps,
        threads: usize::from(args.encoder_threads),
        segment,
        sound: audio.audio.clone().map(|file| Sound { file }),
        say: Arc::new(move |line| {
            if !quiet {
                note!("{line}");
            }
        }),
    })
}

/// What a video is made of, for [`identity`].
pub(crate) struct Ingredients<'a> {
    pub(crate) package: &'a Package,
    pub(crate) model: Option<&'a Path>,
    pub(crate) features: &'a Features,
    pub(crate) sound: Option<&'a Path>,
    pub(crate) stages: &'a Stages,
    pub(crate) frame: &'a FrameArgs,
    pub(crate) batch: usize,
}

/// Everything that decides the frames and the sound, by names for people. Compositors, workers and
/// stores are left out: they never change a byte.
pub(crate) fn identity(of: &Ingredients<'_>) -> Result<Identity> {
    let Ingredients { package, model, features, sound, stages, frame, batch } = *of;
    let hash = |path: &Path| -> Result<String> {
        let hash = FileHash::of_file(path);
        Ok(hash.with_context(|| format!("{}: cannot be read", path.display()))?.sha256)
    };
    let backend = &stages.backend;
    let mut identity = Identity::default();
    identity.set("engine's version", env!("CARGO_PKG_VERSION"));
    identity.set("package", package.fingerprint()?.sha256);
    identity.set("features", features.fingerprint().sha256);
    identity.set("inputs", frame.inputs);
    identity.set("interpolation", frame.interpolation);
    identity.set("backend", format!("{}, {}", backend.name(), backend.provider()));
    identity.set("number of threads of the network", backend.cpu_threads());
    identity.set("batch", batch);
    if let Some(model) = model {
        identity.set("network", hash(model)?);
    }
    if let Some(sound) = sound {
        identity.set("sound", hash(sound)?);
    }
    Ok(identity)
}

/// The command that continues a render: the one that was given, with `--resume`.
pub(crate) fn resume_command() -> String {
    let words: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let words = words.iter().map(|word| word.display().to_string());
    let words = words.filter(|word| word != "--restart" && word != "--resume");
    format!("engine-cli {} --resume", words.collect::<Vec<_>>().join(" "))
}
