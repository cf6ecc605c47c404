//! Which profile is used.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::subject::folder;
use super::{Profile, ProfileError, Subject};
use crate::dataset::{Inputs, Package};
use crate::select::{BackendChoice, Identity, chain, identify};

/// What a profile is looked for, or has to fit.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The package's folder.
    pub package: &'a Path,
    /// The network, an ONNX file.
    pub model: &'a Path,
    /// Where the network's inputs come from.
    pub inputs: Inputs,
    /// What the worst frame must have against full precision.
    pub min_psnr_db: f64,
    /// Whether an OpenVINO library was named.
    pub openvino_named: bool,
}

/// A profile that fits.
#[derive(Clone, Debug)]
pub struct Fitting {
    /// Its file.
    pub path: PathBuf,
    /// The profile.
    pub profile: Profile,
    /// The file that runs: the network, or its quantized form.
    pub model: PathBuf,
    /// The package, whose files were read to find out that it fits.
    pub package: Arc<Package>,
    /// What is to be said about it.
    pub remark: Option<String>,
}

impl Wanted<'_> {
    fn open(&self, identity: &Identity) -> Result<(Arc<Package>, Subject), ProfileError> {
        let package = Package::open(self.package, identity.geometry, self.inputs)?;
        let subject = Subject::of(identity, &package)?;
        Ok((Arc::new(package), subject))
    }

    /// Whether `profile`, from the file `path`, is of `here`. One from another machine may not be the
    /// fastest, and what rounds may round otherwise.
    fn fit(
        &self,
        path: &Path,
        profile: Profile,
        identity: Identity,
        (package, here): (Arc<Package>, Subject),
    ) -> Result<Fitting, ProfileError> {
        let other = |what| ProfileError::Other { path: path.to_owned(), what };
        if let (Some(_), Some(why)) = (&profile.subject.quantized, &identity.not_quantized) {
            return Err(other(format!(
                "is for the network's quantized form, which is unusable: {why}"
            )));
        }
        let [what, machine] = profile.subject.differences(&here);
        if !what.is_empty() {
            return Err(other(format!("is a profile of something else: {}", what.join(", "))));
        }
        // Without a figure the network is computed as it is.
        let worst = profile.worst_psnr_db.unwrap_or(f64::INFINITY);
        if worst < self.min_psnr_db {
            return Err(other(format!(
                "has {worst:.1} dB in the worst frame, below {} (--min-psnr)",
                self.min_psnr_db
            )));
        }
        let compared = match profile.worst_psnr_db {
            Some(_) => "; its frames were not compared with full precision here",
            None => "",
        };
        let remark = (!machine.is_empty())
            .then(|| format!("was measured elsewhere: {}{compared}", machine.join(", ")));
        let form = identity.quantized.filter(|_| profile.quantized);
        let model = form.map_or_else(|| self.model.to_owned(), |(form, _)| form);
        Ok(Fitting { path: path.to_owned(), profile, model, package, remark })
    }
}

/// Which profile is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProfileChoice {
    /// The one that was kept, if there is one.
    #[default]
    Kept,
    /// None.
    None,
    /// The one in this file, which has to fit.
    File(PathBuf),
}

/// The profile that `choice` asks for. `named` is an option that says what runs the network, or how,
/// where one was given: a profile says all of that. `wanted` is `None` where there is no ONNX file to
/// run. What was kept and is not to be used is left alone, and `warn` takes the reason.
///
/// # Errors
/// A file that is no profile, is one of something else, or contradicts `named`.
pub fn pick(
    choice: &ProfileChoice,
    wanted: Option<&Wanted<'_>>,
    named: Option<&'static str>,
    warn: &dyn Fn(&str),
) -> Result<Option<Fitting>, ProfileError> {
    match (choice, wanted, named) {
        (ProfileChoice::None, _, _) => Ok(None),
        (ProfileChoice::File(path), _, Some(option)) => {
            Err(ProfileError::Contradicted { path: path.clone(), option })
        }
        (ProfileChoice::File(path), None, _) => Err(ProfileError::NoNetwork { path: path.clone() }),
        (ProfileChoice::File(path), Some(wanted), None) => {
            // What is no profile is found out before anything large is read.
            let profile = Profile::load(path)?;
            let identity = identify(wanted.model)?;
            let here = wanted.open(&identity)?;
            wanted.fit(path, profile, identity, here).map(Some)
        }
        (ProfileChoice::Kept, Some(wanted), None) => match kept(wanted) {
            // What is wrong with the network or the package is said when they are opened.
            Err(ProfileError::Select(_) | ProfileError::Dataset(_)) => Ok(None),
            Err(error) => {
                warn(&format!("profile not used: {}", chain(&error)));
                Ok(None)
            }
            found => found,
        },
        (ProfileChoice::Kept, ..) => Ok(None),
    }
}

/// The profile that was kept of what is wanted, on this machine; `None` where there is none. The package
/// is only looked at where something was kept of its network.
fn kept(wanted: &Wanted<'_>) -> Result<Option<Fitting>, ProfileError> {
    let Some(folder) = folder().filter(|folder| folder.is_dir()) else { return Ok(None) };
    let identity = identify(wanted.model)?;
    if !folder.join(identity.network.short()).is_dir() {
        return Ok(None);
    }
    let here = wanted.open(&identity)?;
    let path = here.1.kept(&folder);
    if !path.exists() {
        return Ok(None);
    }
    let profile = Profile::load(&path)?;
    let backend = profile.backend.clone();
    if wanted.openvino_named && backend != BackendChoice::OpenVino.name() {
        // Whoever names a library wants it.
        return Err(ProfileError::OtherRuntime { path, backend });
    }
    wanted.fit(&path, profile, identity, here).map(Some)
}
