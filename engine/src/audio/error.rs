//! What can go wrong between a sound file and its features.

use std::io;
use std::path::PathBuf;

use crate::backend::BackendError;
use crate::onnx::OnnxError;

/// A sound cannot be used, or not encoded, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The operating system refused to read the sound, or it is no file.
    #[error("cannot read the sound {}", path.display())]
    Read {
        /// The sound file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is nothing in the file.
    #[error("{}: the file is empty; expected a sound file", path.display())]
    EmptyFile {
        /// The sound file.
        path: PathBuf,
    },
    /// ffmpeg cannot be run.
    #[error(
        "cannot run {}, which decodes sound: install ffmpeg, or name the program with --ffmpeg",
        program.display()
    )]
    Ffmpeg {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// ffmpeg gave up.
    #[error(
        "{}: ffmpeg cannot decode this: {said}; expected a sound or video file, whole",
        path.display()
    )]
    Decode {
        /// The sound file.
        path: PathBuf,
        /// What ffmpeg said.
        said: String,
    },
    /// A file that ffmpeg reads, without sound.
    #[error("{}: there is no sound in this file; expected an audio stream", path.display())]
    NoStream {
        /// The file.
        path: PathBuf,
    },
    /// A sound of no length.
    #[error("{}: the sound has no samples; expected at least one", path.display())]
    NoSamples {
        /// The sound file.
        path: PathBuf,
    },
    /// A floating-point file with something that is no number.
    #[error(
        "{}: the sound has a sample of {value} at {seconds:.3} s; expected finite numbers",
        path.display()
    )]
    Sample {
        /// The sound file.
        path: PathBuf,
        /// The sample.
        value: f32,
        /// Its place.
        seconds: f64,
    },
    /// The encoder cannot be read as ONNX.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The library or the encoder cannot be loaded.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The model is no audio encoder that the engine can feed.
    #[error("{}: this is no audio encoder for the engine: {problem}", path.display())]
    Encoder {
        /// The encoder.
        path: PathBuf,
        /// What does not fit, and what was expected.
        problem: String,
    },
    /// The runtime failed while working.
    #[error("{}: ONNX Runtime failed running the audio encoder", path.display())]
    Run {
        /// The encoder.
        path: PathBuf,
        /// What the runtime said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The encoder gave something other than 512 numbers for every step.
    #[error(
        "{}: its output \"{output}\" has shape {found:?} for {steps} steps; expected \
         [{steps}, 512] or [{steps}, 512, 1, 1]",
        path.display()
    )]
    OutputShape {
        /// The encoder.
        path: PathBuf,
        /// The output's name.
        output: String,
        /// What came.
        found: Vec<i64>,
        /// Steps that it was given.
        steps: usize,
    },
    /// The encoder gave something that is no number.
    #[error(
        "{}: the encoder's value {column} at step {step} is {value}; expected finite numbers",
        path.display()
    )]
    NotFinite {
        /// The encoder.
        path: PathBuf,
        /// The step, from 0.
        step: usize,
        /// Which of the 512 values, from 0.
        column: usize,
        /// The value.
        value: f32,
    },
    /// The caller asked to stop.
    #[error("the sound was not turned into features: stopped on request")]
    Stopped,
}
