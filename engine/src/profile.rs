//! Settings that `engine-cli tune` found: written as a file, found again for the network and the package
//! that they are of, on the machine that they were measured on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dataset::{DatasetError, Inputs, Package};
use crate::file::{FileError, FileHash, WholeFile, cache_folder, regular};
use crate::pipeline::{MAX_BATCH, MAX_WORKERS};
use crate::select::{
    BackendChoice, BackendOptions, Contender, Identity, PrecisionChoice, ProviderChoice,
    SelectError, chain, identify,
};
use crate::threads::{cores, cpu_name};
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

/// What settings are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Version of the engine.
    pub engine: String,
    /// The network.
    pub network: FileHash,
    /// Its quantized form, where there is one beside it.
    pub quantized: Option<FileHash>,
    /// Everything of the package that decides its frames.
    pub package: FileHash,
    /// The package's own inputs, or derived ones.
    pub inputs: String,
    /// The processor's name.
    pub cpu: String,
    /// Its cores that may be used.
    pub cores: usize,
}

/// A profile that is not to be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("{}: cannot be read as a profile", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{}: {what}; expected a profile that `engine-cli tune` wrote", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The profile is of something else.
    #[error(
        "{}: {what}; make a profile of what is here with `engine-cli tune`, or do without with \
         --profile none",
        path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// An option says what a profile says, too.
    #[error(
        "--profile {} says what runs the network, and so does {option}; leave one of them out",
        path.display()
    )]
    Contradicted {
        /// The profile.
        path: PathBuf,
        /// The option.
        option: &'static str,
    },
    /// There is no ONNX file that a profile could be of.
    #[error("--profile {} is for a network in an ONNX file, and there is none", path.display())]
    NoNetwork {
        /// The profile.
        path: PathBuf,
    },
    /// The profile runs something else than OpenVINO, whose library was named.
    #[error("{} runs {backend}, and --openvino-lib is given", path.display())]
    OtherRuntime {
        /// The profile.
        path: PathBuf,
        /// What it runs.
        backend: String,
    },
    /// The network cannot be read.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The package cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// No place for profiles is known.
    #[error("no cache folder to keep a profile in: set HOME or XDG_CACHE_HOME")]
    NoFolder,
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Subject {
    /// A network and `package`, on this machine. Reads the package's files.
    ///
    /// # Errors
    /// When the package cannot be read.
    pub fn of(identity: &Identity, package: &Package) -> Result<Self, ProfileError> {
        Ok(Self {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            network: identity.network.clone(),
            quantized: identity.quantized.as_ref().map(|(_, hash)| hash.clone()),
            package: package.fingerprint()?,
            inputs: package.inputs().to_string(),
            cpu: cpu_name(),
            cores: cores(),
        })
    }

    /// What differs in `other`, which is here: what is run, and the machine.
    fn differences(&self, other: &Self) -> [Vec<String>; 2] {
        let differ = |what: &str, there: &dyn fmt::Display, here: &dyn fmt::Display| {
            format!("{what} ({there}, here {here})")
        };
        let short = |hash: &Option<FileHash>| {
            hash.as_ref().map_or_else(|| "none".to_owned(), |hash| hash.short().to_owned())
        };
        let mut run = Vec::new();
        if self.network != other.network {
            run.push(differ("the network", &self.network.short(), &other.network.short()));
        }
        if self.quantized != other.quantized {
            let (there, here) = (short(&self.quantized), short(&other.quantized));
            run.push(differ("its quantized form", &there, &here));
        }
        if self.package != other.package {
            run.push(differ("the package", &self.package.short(), &other.package.short()));
        }
        if self.inputs != other.inputs {
            run.push(differ("--inputs", &self.inputs, &other.inputs));
        }
        let mut machine = Vec::new();
        if self.engine != other.engine {
            machine.push(differ("the engine's version", &self.engine, &other.engine));
        }
        if self.cpu != other.cpu {
            machine.push(differ("the processor", &self.cpu, &other.cpu));
        }
        if self.cores != other.cores {
            machine.push(differ("the number of cores", &self.cores, &other.cores));
        }
        [run, machine]
    }

    /// The file in which [`pick`] looks for a profile of it, in a folder that is made where needed.
    ///
    /// # Errors
    /// When no such place is known, or it takes no files.
    pub fn place(&self) -> Result<PathBuf, ProfileError> {
        let path = self.kept(&folder().ok_or(ProfileError::NoFolder)?);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|source| FileError::Create { path: path.clone(), source })?;
        }
        // Tried, and gone again.
        drop(WholeFile::create(&path)?);
        Ok(path)
    }

    /// Where a profile of it is kept.
    fn kept(&self, folder: &Path) -> PathBuf {
        // Another version of the engine replaces what was kept.
        let Self { quantized, package, inputs, cpu, cores, .. } = self;
        let quantized = quantized.as_ref().map_or("none", |quantized| &quantized.sha256);
        let text = format!("{quantized}\n{}\n{inputs}\n{cpu}\n{cores}", package.sha256);
        let name = format!("{}.json", FileHash::of(text.as_bytes()).short());
        folder.join(self.network.short()).join(name)
    }
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
        let provider = match contender.backend {
            BackendChoice::OnnxRuntime => contender.provider.or(Some(ProviderChoice::Cpu)),
            _ => None,
        };
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

    /// Reads the profile in the file `path`.
    ///
    /// # Errors
    /// A file that cannot be read, or is no profile.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let io = |source| ProfileError::Io { path: path.to_owned(), source };
        let format = |what| ProfileError::Format { path: path.to_owned(), what };
        let file = regular::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        if bytes > MAX_BYTES {
            return Err(format(format!("has {bytes} bytes")));
        }
        let profile: Self =
            serde_json::from_reader(file).map_err(|error| format(error.to_string()))?;
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
        if let Err(error) = self.precision.parse::<PrecisionChoice>() {
            return Err(error.to_string());
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
        options.openvino.streams = self.streams;
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

/// Where profiles are kept.
fn folder() -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join("profiles"))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> FileHash {
        FileHash::of(text.as_bytes())
    }

    fn subject() -> Subject {
        Subject {
            engine: "0.1.0".into(),
            network: hash("network"),
            quantized: Some(hash("quantized")),
            package: hash("package"),
            inputs: "package".into(),
            cpu: "AMD EPYC".into(),
            cores: 2,
        }
    }

    fn profile() -> Profile {
        let contender = Contender {
            backend: BackendChoice::OpenVino,
            provider: None,
            precision: PrecisionChoice::Int8,
            model: Some("model_best.int8.onnx".into()),
            quantized: true,
            worst_psnr_db: Some(42.5),
        };
        let setting = Setting { network: 0, threads: 2, streams: 1, batch: 8, workers: 3 };
        Profile::new(subject(), &contender, setting, 39.5, &BackendOptions::default())
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
        assert_eq!(options.openvino.streams, 1);
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
            (text.replace("\"int8\"", "\"int4\""), "unknown precision \"int4\""),
            (text.replace("\"batch\": 8", "\"batch\": 0"), "batch is 0, not 1 to 256"),
            (text.replace("\"batch\": 8", "\"batch\": -8"), "invalid value: integer `-8`"),
            (text.replace("\"workers\": 3", "\"workers\": 257"), "workers is 257, not 1 to 256"),
            (text.replace("\"threads\": 2", "\"threads\": 5000"), "threads is 5000, not 1 to 1024"),
            (text.replace("\"streams\": 1", "\"streams\": 0"), "streams is 0, not 1 to 1024"),
            (text.replace("\"fps\"", "\"speed\""), "unknown field `speed`"),
            (text.replace("\"fps\": 39.5", "\"fps\": -1.5"), "fps is -1.5, not 0 or more"),
            (
                text.replace("\"worst_psnr_db\": 42.5", "\"worst_psnr_db\": null"),
                "worst_psnr_db is null, though openvino int8 rounds",
            ),
            (format!("{text}{}", " ".repeat(1 << 20)), "bytes; expected a profile"),
        ];
        for (damaged, expected) in cases {
            std::fs::write(&path, &damaged).unwrap();
            let error = Profile::load(&path).unwrap_err().to_string();
            assert!(error.contains("p.json") && error.contains(expected), "{expected}: {error}");
        }
        let error = Profile::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("Is a directory"), "{error}");
        let error = Profile::load(&folder.path().join("none.json")).unwrap_err().to_string();
        assert!(error.ends_with("none.json: cannot be read as a profile"), "{error}");
    }

    #[test]
    fn it_is_kept_apart_from_those_of_other_packages_and_machines() {
        let folder = Path::new("profiles");
        let path = subject().kept(folder);
        assert!(path.starts_with(folder.join(hash("network").short())), "{}", path.display());
        let others: [fn(&mut Subject); 6] = [
            |s| s.quantized = None,
            |s| s.network = hash("other"),
            |s| s.package = hash("other"),
            |s| s.inputs = "derived".into(),
            |s| s.cpu.push('2'),
            |s| s.cores = 4,
        ];
        for change in others {
            let mut other = subject();
            change(&mut other);
            assert_ne!(other.kept(folder), path);
        }
        // This replaces it.
        assert_eq!(Subject { engine: "0.2.0".into(), ..subject() }.kept(folder), path);
    }

    #[test]
    fn what_differs_is_named() {
        let [run, machine] = subject().differences(&subject());
        assert_eq!((run.len(), machine.len()), (0, 0));
        let other = Subject { quantized: None, cores: 4, ..subject() };
        let [run, machine] = subject().differences(&other);
        assert_eq!(run, [format!("its quantized form ({}, here none)", hash("quantized").short())]);
        assert_eq!(machine, ["the number of cores (2, here 4)"]);
    }
}
