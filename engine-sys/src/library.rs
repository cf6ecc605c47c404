//! A loaded TensorRT library, and building engines with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cxx::UniquePtr;

use crate::ffi::bridge;
use crate::sinks::{Errors, LogSink, ProgressSink};
use crate::{Error, Flavour, Log, Progress, Version, check_whole};

/// A library of one flavour with the logger that all its objects share. Clones are the same
/// library; the logger is destroyed with the last of them and of the engines made with them. The
/// file stays loaded until the process ends.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    raw: UniquePtr<bridge::Library>,
    flavour: Flavour,
    version: Version,
    path: PathBuf,
    errors: Arc<Errors>,
}

// SAFETY: the library's own state is set when it is opened and only read afterwards; its logger may
// be called from any thread, as TensorRT requires of every logger; each build and each runtime has
// objects of its own.
unsafe impl Send for bridge::Library {}
// SAFETY: as for `Send`.
unsafe impl Sync for bridge::Library {}

/// The shapes that an input may take in an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputProfile {
    /// The input's name.
    pub name: String,
    /// The smallest shape.
    pub min: Vec<i64>,
    /// The shape that the engine is made fast for.
    pub opt: Vec<i64>,
    /// The largest shape.
    pub max: Vec<i64>,
}

/// How to build an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// One entry for every input.
    pub profile: Vec<InputProfile>,
    /// Bytes of device memory that layers may use while they run; `None` leaves TensorRT's default.
    pub workspace: Option<usize>,
    /// Also runs with later minor versions of the same major version, at some cost in speed.
    pub version_compatible: bool,
    /// Also runs on other GPUs from Ampere on, at some cost in speed.
    pub hardware_compatible: bool,
    /// What earlier builds found out about kernels: empty for a new cache, `None` for no cache.
    pub timing_cache: Option<Vec<u8>>,
}

/// What a build gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The engine, serialized.
    pub engine: Vec<u8>,
    /// The timing cache after the build, where one was asked for.
    pub timing_cache: Option<Vec<u8>>,
}

impl Library {
    /// Loads the library at `path` if it is what `flavour` needs. `log` takes all messages.
    ///
    /// # Errors
    /// [`Error`] when this program has no shim for the flavour, the file cannot be loaded, or it is
    /// of another version: then nothing but its version is asked.
    pub fn open(flavour: Flavour, path: &Path, log: Arc<dyn Log>) -> Result<Self, Error> {
        if flavour.headers().is_none() {
            return Err(Error::NotBuilt { flavour });
        }
        let text = utf8(path)?;
        let unloadable = |error: cxx::Exception| Error::Load {
            path: path.to_owned(),
            flavour,
            reason: error.what().to_owned(),
        };
        let cut_short = |reason| Error::Load { path: path.to_owned(), flavour, reason };
        check_whole(path).map_err(cut_short)?;
        let version = Version::from(bridge::library_version(text).map_err(unloadable)?);
        if version.major != flavour.major() {
            return Err(Error::WrongVersion { path: path.to_owned(), flavour, found: version });
        }
        let (sink, errors) = LogSink::new(log);
        let raw = bridge::open_library(flavour.raw(), text, Box::new(sink)).map_err(unloadable)?;
        let path = path.to_owned();
        Ok(Self(Arc::new(Inner { raw, flavour, version, path, errors })))
    }

    /// The flavour it was opened as.
    pub fn flavour(&self) -> Flavour {
        self.0.flavour
    }

    /// The version that the library reports.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether engines can be built with it; the dispatch runtime has no builder.
    pub fn can_build(&self) -> bool {
        self.0.raw.can_build()
    }

    /// Builds an engine from the bytes of an ONNX model, which the library at `parser` reads. May
    /// take minutes.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when `progress` broke off, otherwise what the parser or the builder
    /// says.
    pub fn build(
        &self,
        parser: &Path,
        model: &[u8],
        options: &BuildOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<Built, Error> {
        if !self.can_build() {
            let Inner { path, flavour, .. } = &*self.0;
            return Err(Error::NoBuilder { path: path.clone(), flavour: *flavour });
        }
        let cut_short =
            |reason| Error::Load { path: parser.to_owned(), flavour: self.0.flavour, reason };
        check_whole(parser).map_err(cut_short)?;
        let progress = ProgressSink::new(progress);
        let plan = self.check(self.0.raw.build(utf8(parser)?, model, &request(options), &progress));
        let plan = match plan {
            Err(_) if progress.cancelled() => return Err(Error::Cancelled),
            plan => plan?,
        };
        Ok(Built {
            engine: plan.engine().to_vec(),
            timing_cache: options.timing_cache.is_some().then(|| plan.timing_cache().to_vec()),
        })
    }

    /// Adds to a failure what TensorRT logged about it.
    pub(crate) fn check<T>(&self, result: Result<T, cxx::Exception>) -> Result<T, Error> {
        let errors = &self.0.errors;
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err(Error::Refused {
                flavour: self.0.flavour,
                attempt: error.what().to_owned(),
                log: errors.take(),
            }),
        }
    }

    pub(crate) fn raw(&self) -> &bridge::Library {
        &self.0.raw
    }
}

fn utf8(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::Path { path: path.to_owned() })
}

fn request(options: &BuildOptions) -> bridge::BuildRequest {
    let range = |input: &InputProfile| {
        let InputProfile { name, min, opt, max } = input.clone();
        bridge::InputRange { name, min, opt, max }
    };
    bridge::BuildRequest {
        profile: options.profile.iter().map(range).collect(),
        workspace: options.workspace.unwrap_or(0),
        version_compatible: options.version_compatible,
        hardware_compatible: options.hardware_compatible,
        use_timing_cache: options.timing_cache.is_some(),
        timing_cache: options.timing_cache.clone().unwrap_or_default(),
    }
}
