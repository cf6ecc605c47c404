//! Settings that `engine-cli tune` found: written as a file, found again for the network and the package
//! that they are of, on the machine that they were measured on.

mod error;
mod pick;
mod subject;

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::error::ProfileError;
pub use self::pick::{Fitting, ProfileChoice, Wanted, pick};
pub use self::subject::Subject;
use crate::file::{FileError, WholeFile, from_json, regular};
use crate::pipeline::{MAX_BATCH, MAX_WORKERS};
use crate::quality::MAX_MIN_PSNR_DB;
use crate::select::{BackendChoice, BackendOptions, Contender, PrecisionChoice, ProviderChoice};
use crate::tune::Setting;

/// Version of the file.
const SCHEMA: u32 = 1;
/// More than such a file can have.
const MAX_BYTES: u64 = 1 << 20;
/// Stands for frames without a difference; a single one is far below.
const IDENTICAL_DB: f64 = 200.0;
/// The most threads and streams that can be asked for.
const MAX_THREADS: usize = 1024;

/// Settings, and what they are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    schema: u32,
    /// What they were measured on.
    pub subject: Subject,
    /// `tensorrt`, `onnxruntime` or `openvino`.
    pub backend: String,
    /// Where ONNX Runtime computes: `cpu` or `cuda`; `null` elsewhere.
    pub provider: Option<String>,
    /// As in `--precision`.
    pub precision: String,
    /// Whether the network's quantized form runs, which lies beside it.
    pub quantized: bool,
    /// CPU threads that run the network; `null` where a GPU does and none were asked for.
    pub threads: Option<usize>,
    /// Frames that OpenVINO computes at one time.
    pub streams: usize,
    /// Frames per run of the network.
    pub batch: usize,
    /// Threads that composite.
    pub workers: usize,
    /// Frames a second that were measured, without encoding.
    pub fps: f64,
    /// Signal-to-noise ratio in dB of the worst frame against full precision, 200 where no byte
    /// differs; `null` where the network is computed as it is, or TensorRT computes it.
    pub worst_psnr_db: Option<f64>,
    /// What that had to be at least.
    pub min_psnr_db: f64,
}

impl Profile {
    /// `setting` of `contender`, which reached `fps` frames a second with `options`.
    pub fn new(
        subject: Subject,
        contender: &Contender,
        setting: Setting,
        fps: f64,
        options: &BackendOptions,
    ) -> Self {
        let provider = provider_of(contender);
        Self {
            schema: SCHEMA,
            quantized: contender.quantized,
            subject,
            backend: contender.backend.name().to_owned(),
            provider: provider.map(|provider| provider.name().to_owned()),
            precision: contender.precision.name().to_owned(),
            threads: contender.is_on_cpu().then_some(setting.threads).or(options.threads),
            streams: setting.streams,
            batch: setting.batch,
            workers: setting.workers,
            fps,
            worst_psnr_db: contender.worst_psnr_db.map(|db| db.min(IDENTICAL_DB)),
            min_psnr_db: options.min_psnr_db,
        }
    }

    /// Its setting, with the one of `contenders` that it runs; `None` where that is not among them.
    pub fn setting(&self, contenders: &[Contender]) -> Option<Setting> {
        let runs = |contender: &Contender| {
            contender.backend.name() == self.backend
                && provider_of(contender).map(ProviderChoice::name) == self.provider.as_deref()
                && contender.precision.name() == self.precision
                && contender.quantized == self.quantized
        };
        Some(Setting {
            network: contenders.iter().position(runs)?,
            threads: self.threads.unwrap_or(1),
            streams: self.streams,
            batch: self.batch,
            workers: self.workers,
        })
    }

    /// Reads the profile in the file `path`.
    ///
    /// # Errors
    /// A file that cannot be read, or is no profile.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let io = |source| ProfileError::Io { path: path.to_owned(), source };
        let format = |what| ProfileError::Format { path: path.to_owned(), what };
        let text = regular::read_at_most(path, MAX_BYTES).map_err(io)?;
        let profile: Self = from_json(&text).map_err(format)?;
        profile.check().map_err(format)?;
        Ok(profile)
    }

    /// Whether every value is possible; else what is wrong.
    fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("schema is {}, not {SCHEMA}", self.schema));
        }
        let known = matches!(
            BackendChoice::named(&self.backend),
            Some(BackendChoice::TensorRt | BackendChoice::OnnxRuntime | BackendChoice::OpenVino)
        );
        if !known {
            let known = "not tensorrt, onnxruntime or openvino";
            return Err(format!("backend is \"{}\", {known}", self.backend));
        }
        if let Some(provider) = &self.provider
            && ProviderChoice::named(provider).is_none()
        {
            return Err(format!("provider is \"{provider}\", not cpu or cuda"));
        }
        if let Some(provider) = &self.provider
            && self.backend != BackendChoice::OnnxRuntime.name()
        {
            let backend = &self.backend;
            return Err(format!("provider is \"{provider}\", which {backend} has none of"));
        }
        if let Err(error) = self.precision.parse::<PrecisionChoice>() {
            return Err(error.to_string());
        }
        let in_integers = matches!(&*self.precision, "int8" | "auto");
        if self.quantized && !in_integers && self.backend == BackendChoice::OpenVino.name() {
            let precision = &self.precision;
            return Err(format!(
                "precision is \"{precision}\", not int8, though quantized is true"
            ));
        }
        let rounds = self.quantized || matches!(&*self.precision, "bf16" | "fp16");
        if rounds && self.worst_psnr_db.is_none() && self.backend != BackendChoice::TensorRt.name()
        {
            let Self { backend, precision, .. } = self;
            return Err(format!("worst_psnr_db is null, though {backend} {precision} rounds"));
        }
        for (field, found) in [
            ("worst_psnr_db", self.worst_psnr_db.unwrap_or(0.0)),
            ("min_psnr_db", self.min_psnr_db),
            ("fps", self.fps),
        ] {
            if found < 0.0 {
                return Err(format!("{field} is {found}, not 0 or more"));
            }
        }
        if self.min_psnr_db > MAX_MIN_PSNR_DB {
            return Err(format!("min_psnr_db is {}, not 0 to {MAX_MIN_PSNR_DB}", self.min_psnr_db));
        }
        if self.quantized && self.subject.quantized.is_none() {
            return Err("quantized is true, but subject.quantized is null".to_owned());
        }
        for (field, found, most) in [
            ("threads", self.threads.unwrap_or(1), MAX_THREADS),
            ("streams", self.streams, MAX_THREADS),
            ("batch", self.batch, MAX_BATCH),
            ("workers", self.workers, MAX_WORKERS),
        ] {
            if !(1..=most).contains(&found) {
                return Err(format!("{field} is {found}, not 1 to {most}"));
            }
        }
        if let Some(threads) = self.threads
            && self.streams > threads
        {
            let streams = self.streams;
            return Err(format!("streams is {streams}, more than threads, which is {threads}"));
        }
        Ok(())
    }

    /// Writes it to the file `path`, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ProfileError> {
        let write = |source| FileError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| write(error.into()))?;
        text.push(b'\n');
        Ok(WholeFile::replace(path, &text)?)
    }

    /// Sets what runs the network, and how, in `options`.
    pub fn apply(&self, options: &mut BackendOptions) {
        // All of them were checked when it was read.
        options.backend = BackendChoice::named(&self.backend).unwrap_or_default();
        options.provider = self.provider.as_deref().and_then(ProviderChoice::named);
        options.precision = self.precision.parse().unwrap_or_default();
        options.threads = self.threads;
        options.openvino.streams = Some(self.streams);
    }
}

/// Where ONNX Runtime computes.
fn provider_of(contender: &Contender) -> Option<ProviderChoice> {
    match contender.backend {
        BackendChoice::OnnxRuntime => contender.provider.or(Some(ProviderChoice::Cpu)),
        _ => None,
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, precision, threads, streams, batch, workers, .. } = self;
        write!(f, "{backend}")?;
        if let Some("cuda") = self.provider.as_deref() {
            f.write_str(" cuda")?;
        }
        if precision != PrecisionChoice::Auto.name() {
            write!(f, " {precision}")?;
        }
        if let Some(threads) = threads {
            write!(f, ", threads {threads}")?;
        }
        if backend == BackendChoice::OpenVino.name() {
            write!(f, ", streams {streams}")?;
        }
        write!(f, ", batch {batch}, workers {workers}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::subject::tests::subject;
    use crate::select::chain;

    const SETTING: Setting = Setting { network: 0, threads: 2, streams: 1, batch: 8, workers: 3 };

    fn contender() -> Contender {
        Contender {
            backend: BackendChoice::OpenVino,
            provider: None,
            precision: PrecisionChoice::Int8,
            model: Some("model_best.int8.onnx".into()),
            quantized: true,
            worst_psnr_db: Some(42.5),
        }
    }

    fn profile() -> Profile {
        Profile::new(subject(), &contender(), SETTING, 39.5, &BackendOptions::default())
    }

    #[test]
    fn its_setting_is_found_among_what_can_run() {
        let others = [
            Contender { precision: PrecisionChoice::Bf16, ..contender() },
            Contender { backend: BackendChoice::OnnxRuntime, ..contender() },
            Contender { quantized: false, ..contender() },
        ];
        assert_eq!(profile().setting(&others), None);
        let [bf16, onnxruntime, floats] = others;
        let all = [bf16, onnxruntime.clone(), contender(), floats];
        assert_eq!(profile().setting(&all), Some(Setting { network: 2, ..SETTING }));
        // Where nothing else is said, ONNX Runtime computes on the processor.
        let options = BackendOptions::default();
        let profile = Profile::new(subject(), &onnxruntime, SETTING, 1.0, &options);
        assert_eq!(profile.setting(&all), Some(Setting { network: 1, ..SETTING }));
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.json");
        profile().save(&path).unwrap();
        assert_eq!(Profile::load(&path).unwrap(), profile());
        let expected = "openvino int8, threads 2, streams 1, batch 8, workers 3";
        assert_eq!(profile().to_string(), expected);
        let mut options = BackendOptions::default();
        profile().apply(&mut options);
        assert_eq!((options.backend, options.provider), (BackendChoice::OpenVino, None));
        assert_eq!((options.precision, options.threads), (PrecisionChoice::Int8, Some(2)));
        assert_eq!(options.openvino.streams, Some(1));
    }

    #[test]
    fn what_is_no_profile_is_refused_with_the_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.json");
        profile().save(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let cases = [
            (String::new(), "EOF while parsing"),
            (text[..text.len() / 2].to_owned(), "EOF while parsing"),
            ("[]".to_owned(), "invalid length 0"),
            (text.replace("\"schema\": 1", "\"schema\": 2"), "schema is 2, not 1"),
            (text.replace("\"openvino\"", "\"simulated\""), "backend is \"simulated\""),
            (text.replace("\"openvino\"", "\"tpu\""), "backend is \"tpu\""),
            (text.replace("\"provider\": null", "\"provider\": \"rocm\""), "provider is \"rocm\""),
            (
                text.replace("\"provider\": null", "\"provider\": \"cuda\""),
                "provider is \"cuda\", which openvino has none of",
            ),
            (text.replace("\"int8\"", "\"int4\""), "unknown precision \"int4\""),
            (
                text.replace("\"int8\"", "\"fp32\""),
                "precision is \"fp32\", not int8, though quantized is true",
            ),
            (
                text.replace("\"min_psnr_db\": 40.0", "\"min_psnr_db\": 1000"),
                "min_psnr_db is 1000, not 0 to 100",
            ),
            (text.replace("\"threads\": 2", "\"threads\": 0"), "threads is 0, not 1 to 1024"),
            (text.replace("\"batch\": 8", "\"batch\": 0"), "batch is 0, not 1 to 256"),
            (text.replace("\"batch\": 8", "\"batch\": -8"), "batch: invalid value: integer `-8`"),
            (
                text.replace("\"cores\": 2", "\"cores\": \"2\""),
                "subject.cores: invalid type: string",
            ),
            (text.replace("\"workers\": 3", "\"workers\": 257"), "workers is 257, not 1 to 256"),
            (text.replace("\"threads\": 2", "\"threads\": 5000"), "threads is 5000, not 1 to 1024"),
            (text.replace("\"streams\": 1", "\"streams\": 0"), "streams is 0, not 1 to 1024"),
            (
                text.replace("\"streams\": 1", "\"streams\": 3"),
                "streams is 3, more than threads, which is 2",
            ),
            (text.replace("\"fps\"", "\"speed\""), "unknown field `speed`"),
            (text.replace("\"fps\": 39.5", "\"fps\": -1.5"), "fps is -1.5, not 0 or more"),
            (
                text.replace("\"worst_psnr_db\": 42.5", "\"worst_psnr_db\": null"),
                "worst_psnr_db is null, though openvino int8 rounds",
            ),
            (format!("{text}{}", " ".repeat(1 << 20)), "cannot be read as a profile"),
        ];
        for (damaged, expected) in cases {
            std::fs::write(&path, &damaged).unwrap();
            let error = Profile::load(&path).unwrap_err().to_string();
            assert!(error.contains("p.json") && error.contains(expected), "{expected}: {error}");
        }
        let error = chain(&Profile::load(folder.path()).unwrap_err());
        assert!(error.contains("Is a directory"), "{error}");
        let error = Profile::load(&folder.path().join("none.json")).unwrap_err().to_string();
        assert!(error.ends_with("none.json: cannot be read as a profile"), "{error}");
    }
}
