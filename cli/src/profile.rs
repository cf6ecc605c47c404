//! `--profile`: settings that `engine-cli tune` found, in place of the defaults.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum as _;
use engine::dataset::Package;
use engine::profile::{self, Fitting, Profile, ProfileError, Wanted};
use engine::select::is_engine;

use crate::args::{
    BackendArgs, BackendChoice, FrameArgs, ProfileArgs, ProfileChoice, ProviderChoice, Workers,
};
use crate::output::note;

/// Frames per run of the network where nothing else is said.
const DEFAULT_BATCH: usize = 4;

/// How to run, as far as it was not said on the command line.
pub(crate) struct Picked {
    /// What runs the network, and how.
    pub(crate) backend: BackendArgs,
    /// Frames per run of it.
    pub(crate) batch: usize,
    /// Threads that composite.
    pub(crate) workers: Workers,
    /// The profile that says so.
    pub(crate) profile: Option<PathBuf>,
}

impl ProfileArgs {
    /// The file that was named.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.profile {
            ProfileChoice::File(path) => Some(path),
            ProfileChoice::Auto | ProfileChoice::None => None,
        }
    }
}

impl Picked {
    /// The settings of the profile that `choice` asks for, where there is one; else the defaults.
    pub(crate) fn new(
        root: &Path,
        backend: &BackendArgs,
        frame: &FrameArgs,
        choice: &ProfileArgs,
        quiet: bool,
    ) -> Result<Self> {
        let found = match &choice.profile {
            ProfileChoice::None => None,
            ProfileChoice::File(path) => Some(named(path, root, backend, frame)?),
            ProfileChoice::Auto => kept(root, backend, frame, quiet)?,
        };
        let Some(Fitting { path, profile, model, remark }) = found else {
            return Ok(Self {
                backend: backend.clone(),
                batch: DEFAULT_BATCH,
                workers: Workers::Auto,
                profile: None,
            });
        };
        if !quiet {
            note!("profile     {}: {profile}", path.display());
        }
        if let Some(remark) = remark {
            note!("warning: {}: {remark}", path.display());
        }
        Ok(Self {
            backend: BackendArgs { model: Some(model), ..applied(&profile, backend) },
            batch: profile.batch,
            workers: Workers::Count(profile.workers),
            profile: Some(path),
        })
    }
}

/// `backend` with what the profile says.
fn applied(profile: &Profile, backend: &BackendArgs) -> BackendArgs {
    let mut args = backend.clone();
    // What a profile can say was checked when it was read.
    args.backend = BackendChoice::from_str(&profile.backend, false).unwrap_or(args.backend);
    let provider = profile.provider.as_deref();
    args.provider = provider.and_then(|name| ProviderChoice::from_str(name, false).ok());
    args.precision = profile.precision.parse().unwrap_or(args.precision);
    args.threads = profile.threads.and_then(|threads| u16::try_from(threads).ok());
    args.openvino.streams = u16::try_from(profile.streams).ok();
    args
}

/// The profile in the file `path`, which has to fit.
fn named(path: &Path, root: &Path, backend: &BackendArgs, frame: &FrameArgs) -> Result<Fitting> {
    if let Some(option) = backend.named() {
        bail!(
            "--profile {} says what runs the network, and so does {option}; leave one of them out",
            path.display()
        );
    }
    // What is no profile is found out before anything large is read.
    Profile::load(path)?;
    let Some(model) = network(root, backend)? else {
        bail!(
            "--profile {} is for a network in an ONNX file; {} has none",
            path.display(),
            root.display()
        );
    };
    Ok(profile::named(path, &wanted(root, &model, backend, frame))?)
}

/// The profile that was kept, if there is one that fits.
fn kept(
    root: &Path,
    backend: &BackendArgs,
    frame: &FrameArgs,
    quiet: bool,
) -> Result<Option<Fitting>> {
    if backend.named().is_some() || !root.is_dir() {
        return Ok(None);
    }
    let Some(model) = network(root, backend)? else { return Ok(None) };
    match profile::find(&wanted(root, &model, backend, frame)) {
        // Whoever names a library wants it.
        Ok(Some(found))
            if backend.openvino.openvino_lib.is_some() && found.profile.backend != "openvino" =>
        {
            if !quiet {
                note!(
                    "profile     not used: {} runs {}, and --openvino-lib is given",
                    found.path.display(),
                    found.profile.backend
                );
            }
            Ok(None)
        }
        Ok(found) => Ok(found),
        // What is wrong with the package or the network is said when they are opened.
        Err(ProfileError::Select(_) | ProfileError::Dataset(_)) => Ok(None),
        Err(error) => {
            let error = anyhow::Error::from(error);
            note!("warning: profile not used: {error:#}");
            Ok(None)
        }
    }
}

/// Says with an error that a profile had a part in it.
pub(crate) fn blamed(profile: Option<&Path>, error: anyhow::Error) -> anyhow::Error {
    match profile {
        Some(path) => error.context(format!(
            "{}: this profile cannot be used; --profile none does without it",
            path.display()
        )),
        None => error,
    }
}

/// The network's ONNX file.
fn network(root: &Path, backend: &BackendArgs) -> Result<Option<PathBuf>> {
    let model = match &backend.model {
        Some(model) => Some(model.clone()),
        None => Package::find_model(root)?,
    };
    Ok(model.filter(|model| !is_engine(model)))
}

fn wanted<'a>(
    package: &'a Path,
    model: &'a Path,
    backend: &BackendArgs,
    frame: &FrameArgs,
) -> Wanted<'a> {
    Wanted { package, model, inputs: frame.inputs, min_psnr_db: backend.min_psnr }
}
