//! What was asked for, and what a profile says where nothing was.

use std::path::{Path, PathBuf};

use engine::dataset::Package;
use engine::pipeline::{ThreadBudget, cores};
use engine::profile::{self, Fitting, ProfileError, Wanted};
use engine::select::{BackendOptions, is_engine};

use crate::error::{Code, Error};
use crate::log;
use crate::options::{Options, ProfileChoice};

/// Frames per run of the network where nothing says otherwise.
const DEFAULT_BATCH: usize = 4;

/// How a pipeline will run.
pub(crate) struct Settings {
    pub(crate) model: Option<PathBuf>,
    pub(crate) backend: BackendOptions,
    pub(crate) batch: usize,
    pub(crate) workers: usize,
}

impl Settings {
    /// Those for the package in `root`.
    pub(crate) fn of(root: &Path, options: &Options) -> Result<Self, Error> {
        let model = match &options.model {
            Some(model) => Some(model.clone()),
            None => Package::find_model(root)?,
        };
        let network = model.as_deref().filter(|model| !is_engine(model));
        let wanted = network.map(|model| Wanted {
            package: root,
            model,
            inputs: options.inputs,
            min_psnr_db: options.backend.min_psnr_db,
        });
        let found = match (&options.profile, wanted) {
            (ProfileChoice::None, _) | (ProfileChoice::Kept, None) => None,
            (ProfileChoice::Kept, Some(_)) if options.names_backend => None,
            (ProfileChoice::Kept, Some(wanted)) => kept(&wanted),
            (ProfileChoice::File(path), _) if options.names_backend => {
                return Err(invalid(
                    path,
                    "says what runs the network, and so does another option",
                ));
            }
            (ProfileChoice::File(path), None) => {
                return Err(invalid(path, "is for a network in an ONNX file, and there is none"));
            }
            (ProfileChoice::File(path), Some(wanted)) => Some(profile::named(path, &wanted)?),
        };
        let mut backend = options.backend.clone();
        let (mut batch, mut workers) = (options.batch, options.workers);
        let mut runs = None;
        if let Some(Fitting { path, profile, model, remark }) = found {
            log::info(&format!("profile: {}: {profile}", path.display()));
            if let Some(remark) = remark {
                log::warning(&format!("{}: {remark}", path.display()));
            }
            profile.apply(&mut backend);
            batch = batch.or(Some(profile.batch));
            workers = workers.or(Some(profile.workers));
            runs = Some(model);
        }
        let batch = batch.unwrap_or(DEFAULT_BATCH);
        backend.largest_batch = batch;
        let workers = workers.unwrap_or_else(|| ThreadBudget::auto_workers(batch, cores()));
        Ok(Self { model: runs.or(model), backend, batch, workers })
    }
}

/// The profile that was kept, if there is one that fits.
fn kept(wanted: &Wanted<'_>) -> Option<Fitting> {
    match profile::find(wanted) {
        Ok(found) => found,
        // What is wrong with the package or the network is said when they are opened.
        Err(ProfileError::Select(_) | ProfileError::Dataset(_)) => None,
        Err(error) => {
            let error = Error::from(error);
            log::warning(&format!("profile not used: {}", error.message));
            None
        }
    }
}

fn invalid(path: &Path, what: &str) -> Error {
    Error::text(Code::InvalidArgument, format!("options: profile {} {what}", path.display()))
}
