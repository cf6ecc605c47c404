//! No file that is written may be one that is read, or another one that is written.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use engine::dataset::Package;
use engine::file::same_file;

use crate::args::{AudioArgs, BackendArgs};

/// The files of a command, each with what the user calls it.
#[derive(Default)]
pub(crate) struct Files {
    read: Vec<(&'static str, PathBuf)>,
    written: Vec<(&'static str, PathBuf)>,
    package: Option<PathBuf>,
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
            if root.is_some_and(|root| Package::holds(root, path)) {
                bail!(
                    "{name} is {}, which belongs to the package; name another file",
                    path.display()
                );
            }
        }
        Ok(())
    }
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
