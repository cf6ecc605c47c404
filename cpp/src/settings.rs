//! What was asked for, and what a profile says where nothing was.

use std::path::{Path, PathBuf};

use engine::dataset::Package;
use engine::pipeline::{DEFAULT_BATCH, ThreadBudget, cores};
use engine::profile::{Fitting, Wanted, pick};
use engine::select::{BackendOptions, is_engine};

use crate::error::Error;
use crate::log;
use crate::options::Options;

/// How a pipeline will run.
pub(crate) struct Settings {
    pub(crate) model: Option<PathBuf>,
    pub(crate) backend: BackendOptions,
    pub(crate) batch: usize,
    pub(crate) workers: usize,
    /// The profile that says so.
    profile: Option<PathBuf>,
}

impl Settings {
    /// An error, naming the profile where one asked for what does not work.
    pub(crate) fn blamed(&self, error: Error) -> Error {
        match &self.profile {
            Some(path) => {
                let Error { code, message } = error;
                let path = path.display();
                Error::text(code, format!("profile {path} (\"none\" does without it): {message}"))
            }
            None => error,
        }
    }

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
            openvino_named: options.backend.openvino.library.is_some(),
        });
        let warn = |line: &str| log::warning(line);
        let found = pick(&options.profile, wanted.as_ref(), options.named, &warn)?;
        let mut backend = options.backend.clone();
        let (mut batch, mut workers) = (options.batch, options.workers);
        let (mut runs, mut used) = (None, None);
        if let Some(Fitting { path, profile, model, remark, .. }) = found {
            log::info(&format!("profile: {}: {profile}", path.display()));
            if let Some(remark) = remark {
                log::warning(&format!("{}: {remark}", path.display()));
            }
            profile.apply(&mut backend);
            batch = batch.or(Some(profile.batch));
            workers = workers.or(Some(profile.workers));
            (runs, used) = (Some(model), Some(path));
        }
        let batch = batch.unwrap_or(DEFAULT_BATCH);
        backend.largest_batch = batch;
        let workers = workers.unwrap_or_else(|| ThreadBudget::auto_workers(batch, cores()));
        Ok(Self { model: runs.or(model), backend, batch, workers, profile: used })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use engine::frame::Size;
    use engine::profile::{Profile, ProfileChoice, Subject};
    use engine::sample::{Batch, Form, NetworkKind, SampleOptions, write_package};
    use engine::select::{BackendChoice, Contender, PrecisionChoice, identify};
    use engine::sink::ImageFormat;
    use engine::tune::Setting;

    use super::*;
    use crate::error::Code;
    use crate::options::{DEFAULTS, Paths};

    fn options(change: impl FnOnce(&mut Options)) -> Options {
        let paths = Paths {
            model: None,
            onnxruntime_library: None,
            tensorrt_folder: None,
            profile: None,
            openvino_library: None,
        };
        let mut options = Options::check(&DEFAULTS, &paths).unwrap();
        change(&mut options);
        options
    }

    #[test]
    fn a_profile_fills_in_what_was_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = (folder.path().join("pkg"), folder.path().join("p.json"));
        let sample = SampleOptions {
            frames: 2,
            size: Size::new(96, 96),
            side: 32,
            form: Form::Images(ImageFormat::Png),
            network: NetworkKind::Probe,
            batch: Batch::Symbolic,
            seed: 1,
            rects: None,
        };
        write_package(&root, &sample, |_| ControlFlow::Continue(())).unwrap();
        let model = root.join("checkpoint/model_best.onnx");
        let identity = identify(&model).unwrap();
        let none = |options: &mut Options| options.profile = ProfileChoice::None;
        let inputs = options(none).inputs;
        let package = Package::open(&root, identity.geometry, inputs).unwrap();
        let contender = Contender {
            backend: BackendChoice::OnnxRuntime,
            provider: None,
            precision: PrecisionChoice::Fp32,
            model: Some(model.clone()),
            quantized: false,
            worst_psnr_db: None,
        };
        let setting = Setting { network: 0, threads: 3, streams: 1, batch: 7, workers: 5 };
        let subject = Subject::of(&identity, &package).unwrap();
        let profile = Profile::new(subject, &contender, setting, 9.0, &options(none).backend);
        profile.save(&file).unwrap();

        let named = |options: &mut Options| options.profile = ProfileChoice::File(file.clone());
        let found = Settings::of(&root, &options(named)).unwrap();
        assert_eq!((found.batch, found.workers, found.model), (7, 5, Some(model.clone())));
        assert_eq!((found.backend.backend, found.backend.threads), (contender.backend, Some(3)));
        assert_eq!(found.backend.largest_batch, 7);
        let given = options(|options| {
            named(options);
            (options.batch, options.workers) = (Some(2), Some(1));
        });
        let found = Settings::of(&root, &given).unwrap();
        assert_eq!((found.batch, found.workers, found.backend.largest_batch), (2, 1, 2));
        let error = found.blamed(Error::new(Code::Backend, "no such thing"));
        assert!(error.message.ends_with("p.json (\"none\" does without it): no such thing"));

        let without = Settings::of(&root, &options(none)).unwrap();
        assert_eq!((without.batch, without.backend.backend), (4, BackendChoice::Auto));
        assert_eq!(without.blamed(Error::new(Code::Backend, "as it is")).message, "as it is");
        let both = options(|options| {
            named(options);
            options.named = Some("threads");
        });
        let error = Settings::of(&root, &both).err().unwrap();
        assert_eq!(error.code, Code::InvalidArgument);
        let expected = "p.json says what runs the network, and so does threads";
        assert!(error.message.contains(expected), "{}", error.message);
        std::fs::write(&file, "no profile").unwrap();
        let error = Settings::of(&root, &options(named)).err().unwrap();
        assert!(error.message.contains("expected a profile that"), "{}", error.message);
    }
}
