//! No file that is written may be one that is read, or another one that is written.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use engine::dataset::Package;
use engine::file::{resolved, same_file};
use engine::sink::{ImageFormat, SinkTarget};

use crate::args::{AudioArgs, BackendArgs};

/// The files of a command, each with what the user calls it.
#[derive(Default)]
pub(crate) struct Files {
    read: Vec<(&'static str, PathBuf)>,
    written: Vec<(&'static str, PathBuf)>,
    package: Option<PathBuf>,
    makes_quantized: bool,
    frames: Option<(PathBuf, ImageFormat)>,
}

impl Files {
    /// Adds a file that is read.
    pub(crate) fn read(mut self, name: &'static str, path: Option<&Path>) -> Self {
        self.read.extend(path.map(|path| (name, path.to_owned())));
        self
    }

    /// Adds a file that is written, and replaced where it is there.
    pub(crate) fn written(mut self, name: &'static str, path: Option<&Path>) -> Self {
        self.written.extend(path.map(|path| (name, path.to_owned())));
        self
    }

    /// Names the package that is read.
    pub(crate) fn package(mut self, root: Option<&Path>) -> Self {
        self.package = root.map(Path::to_owned);
        self
    }

    /// Lets a quantized form of the package's network be replaced, by whoever makes it.
    pub(crate) fn makes_quantized(mut self) -> Self {
        self.makes_quantized = true;
        self
    }

    /// Adds the images that go to `sink`, where it takes images.
    pub(crate) fn frames(mut self, sink: &SinkTarget) -> Self {
        if let SinkTarget::Images { dir, format } = sink {
            self.frames = Some((dir.clone(), *format));
        }
        self
    }

    /// Refuses to write what is read, or to write two things into one file.
    pub(crate) fn check(&self) -> Result<()> {
        for (at, (name, path)) in self.written.iter().enumerate() {
            for (other, input) in &self.read {
                if same_file(path, input) {
                    bail!("{name} is {}, which is {other}; name another file", path.display());
                }
            }
            for (other, output) in &self.written[..at] {
                if same_file(path, output) {
                    bail!("{name} and {other} are one file, {}; name another file", path.display());
                }
            }
            let root = self.package.as_deref();
            let allowed = |root| self.makes_quantized && Package::holds_quantized(root, path);
            if root.is_some_and(|root| Package::holds(root, path) && !allowed(root)) {
                bail!(
                    "{name} is {}, which belongs to the package; name another file",
                    path.display()
                );
            }
            if let Some((folder, format)) = &self.frames
                && is_frame(path, folder, *format)
            {
                bail!(
                    "{name} is {}, which is one of the frames; name another file",
                    path.display()
                );
            }
        }
        Ok(())
    }
}

/// Whether `path` has the name of a frame that is written to `folder`.
fn is_frame(path: &Path, folder: &Path, format: ImageFormat) -> bool {
    let number =
        path.file_stem().and_then(|stem| stem.to_str()?.strip_prefix("frame_")).is_some_and(
            |digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()),
        );
    let there = resolved(path).parent() == Some(&resolved(folder));
    there && number && path.extension().is_some_and(|end| end == format.extension())
}

/// The files that `render` and `bench` read.
pub(crate) fn inputs(
    package: &Path,
    backend: &BackendArgs,
    features: Option<&Path>,
    audio: &AudioArgs,
) -> Files {
    Files::default()
        .package(Some(package))
        .read("the network", backend.model.as_deref())
        .read("the features", features)
        .read("the sound", audio.audio.as_deref())
        .read("the audio encoder", audio.audio_encoder.as_deref())
}
