//! `--profile`: settings that `engine-cli tune` found, in place of the defaults.

use std::path::{Path, PathBuf};

use anyhow::Result;
use engine::dataset::Package;
use engine::pipeline::DEFAULT_BATCH;
use engine::profile::{Fitting, ProfileChoice, Wanted, pick};
use engine::select::is_engine;

use crate::args::{BackendArgs, FrameArgs, ProfileArgs, Workers};
use crate::output::note;

/// How to run, as far as it was not said on the command line.
pub(crate) struct Picked {
    /// The profile that says so.
    pub(crate) fitting: Option<Fitting>,
    /// Frames per run of the network.
    pub(crate) batch: usize,
    /// Threads that composite.
    pub(crate) workers: Workers,
}

impl Default for Picked {
    /// Without a profile.
    fn default() -> Self {
        Self { fitting: None, batch: DEFAULT_BATCH, workers: Workers::Auto }
    }
}

impl ProfileArgs {
    /// The file that was named.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.profile {
            ProfileChoice::File(path) => Some(path),
            ProfileChoice::Kept | ProfileChoice::None => None,
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
        let model = if root.is_dir() { network(root, backend)? } else { None };
        let wanted = model.as_deref().map(|model| Wanted {
            package: root,
            model,
            inputs: frame.inputs,
            min_psnr_db: backend.min_psnr,
            openvino_named: backend.openvino.openvino_lib.is_some(),
        });
        let warn = |line: &str| note!("warning: {line}");
        let fitting = pick(&choice.profile, wanted.as_ref(), backend.named(), &warn)?;
        let Some(Fitting { path, profile, remark, .. }) = &fitting else {
            return Ok(Self::default());
        };
        if !quiet {
            note!("profile     {}: {profile}", path.display());
        }
        if let Some(remark) = remark {
            warn(&format!("{}: {remark}", path.display()));
        }
        let (batch, workers) = (profile.batch, Workers::Count(profile.workers));
        Ok(Self { fitting, batch, workers })
    }

    /// `error`, which settings of the profile may have led to.
    pub(crate) fn blamed(&self, error: anyhow::Error) -> anyhow::Error {
        match &self.fitting {
            Some(Fitting { path, .. }) => error.context(format!(
                "{}: this profile cannot be used; --profile none does without it",
                path.display()
            )),
            None => error,
        }
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
