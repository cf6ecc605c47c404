//! `--audio`: from a sound file to features, and what is said on the way.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use engine::audio::{Encoder, Sound, step_count};
use engine::backend::{BatchLimit, OnnxRuntimeOptions, find_onnxruntime};
use engine::dataset::{Features, Package};
use engine::pipeline::cores;

use crate::args::{AudioArgs, BackendArgs};
use crate::interrupt;
use crate::output::note;
use crate::progress::Progress;

/// A decoded sound and what will make features of it.
pub(crate) struct Speech {
    pub(crate) path: PathBuf,
    sound: Sound,
    encoder: Encoder,
}

impl Speech {
    /// Decodes the sound of `args` and opens its encoder; `None` where there is no sound, or where
    /// `features` decide.
    ///
    /// Done before anything that takes long, since it is here that most mistakes show.
    pub(crate) fn open(
        args: &AudioArgs,
        features: Option<&Path>,
        root: &Path,
        backend: &BackendArgs,
        say: &dyn Fn(String),
    ) -> Result<Option<Self>> {
        let Some(path) = &args.audio else { return Ok(None) };
        if features.is_some() {
            return Ok(None);
        }
        let encoder = match &args.audio_encoder {
            Some(encoder) => encoder.clone(),
            None => default_encoder(root)?,
        };
        // The network may be on a GPU; a step takes the processor some milliseconds.
        let options = OnnxRuntimeOptions {
            library: find_onnxruntime(backend.ort_lib.as_deref())?,
            threads: backend.threads.map_or_else(cores, usize::from),
        };
        let encoder = Encoder::open(&encoder, &options)?;
        let stopped = || interrupt::token().is_cancelled();
        let sound = Sound::load(path, &args.ffmpeg, &stopped)?;
        say(format!(
            "audio       {}: {:.2} s, {} frames; encoder {}, {}",
            path.display(),
            sound.seconds(),
            sound.frames(),
            encoder.path().display(),
            match encoder.batch_limit() {
                BatchLimit::Fixed(count) => format!("{count} at a time"),
                _ => "any number at a time".to_owned(),
            }
        ));
        if !sound.complaints().is_empty() {
            note!(
                "warning: {}: it may be damaged or cut short, {:.2} s of it are used; ffmpeg says: {}",
                path.display(),
                sound.seconds(),
                sound.complaints().join("; ")
            );
        }
        Ok(Some(Self { path: path.clone(), sound, encoder }))
    }

    /// Runs the encoder over the sound.
    pub(crate) fn features(&mut self, quiet: bool) -> Result<Features> {
        let steps = step_count(self.sound.mel().rows()) as u64;
        let mut progress = Progress::new("encoding the sound", "steps", steps, quiet);
        let features = self.encoder.features(&self.sound, &mut |done, _| {
            progress.set(done as u64);
            match interrupt::token().is_cancelled() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(features)
    }
}

fn default_encoder(root: &Path) -> Result<PathBuf> {
    let usual = Package::audio_encoder(root);
    if !usual.is_file() {
        bail!(
            "--audio needs an audio encoder, and the package has none ({}): name one with \
             --audio-encoder FILE.onnx",
            usual.display()
        );
    }
    Ok(usual)
}
