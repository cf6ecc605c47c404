//! TensorRT: an engine as it is, or one that is made of an ONNX file and kept.

use std::path::Path;
use std::sync::Arc;

use engine_sys::search::{self, Found};
use engine_sys::{Flavour, Library, Log};

use super::{
    BackendOptions, LoadedEngine, Opened, SelectError, Watch, built_in, chain, is_engine, silent,
};
use crate::backend::{BackendError, BatchLimit, ModelSpec, TensorRt, TensorRtOptions};
use crate::batch::BatchRange;
use crate::convert::{
    self, ConvertError, EngineOptions, EngineRecord, Gpu, LogFile, Network, Surroundings, Tools,
    cache,
};
use crate::cuda::Context;
use crate::file::{FileHash, Lock, regular};
use crate::onnx::Model;
use crate::onnx::batch::make_batch_symbolic;

/// Runs the engine, or an engine of the network, in the file `model`.
pub(super) fn open(
    model: &Path,
    options: &BackendOptions,
    watch: &Watch<'_>,
) -> Result<Opened, SelectError> {
    built_in(options.tensorrt.flavour)?;
    // Also for engines, which have a precision of their own: what is not possible is not ignored.
    options.tensorrt_precision()?;
    let shop = Shop { context: Context::new(options.device)?, options, watch };
    match is_engine(model) {
        true => shop.engine(model),
        false => shop.network(model),
    }
}

/// What it takes to load an engine.
struct Shop<'a> {
    context: Context,
    options: &'a BackendOptions,
    watch: &'a Watch<'a>,
}

/// A flavour that is installed.
struct Installed {
    found: Found,
    library: Library,
    there: Surroundings,
}

/// `backend`, which runs `engine`.
fn running(backend: TensorRt, engine: LoadedEngine, remarks: Vec<String>) -> Opened {
    Opened { engine: Some(engine), remarks, ..silent(backend) }
}

impl Shop<'_> {
    fn flavours(&self) -> Vec<Flavour> {
        match self.options.tensorrt.flavour {
            Some(flavour) => vec![flavour],
            None => Flavour::ALL.to_vec(),
        }
    }

    /// The library of `flavour`, or why there is none.
    fn install(&self, flavour: Flavour) -> Result<Installed, Reason> {
        let folder = self.options.tensorrt.library_folder.as_deref();
        let found =
            search::find(flavour, folder).map_err(|error| Reason::Missing(error.brief()))?;
        let library = Library::open(flavour, &found.runtime, Arc::clone(&self.watch.log))
            .map_err(|error| Reason::Tried(chain(&error)))?;
        let gpu = Gpu::from(self.context.device());
        let there = Surroundings { flavour, library: library.version(), gpu };
        Ok(Installed { found, library, there })
    }

    /// The engine in a file that was named.
    fn engine(&self, path: &Path) -> Result<Opened, SelectError> {
        let read = |source| BackendError::Read { path: path.to_owned(), source };
        let plan = regular::read(path).map_err(read)?;
        let mut remarks = Vec::new();
        let mut record = EngineRecord::load(path)?;
        if record.as_ref().is_some_and(|record| record.engine != FileHash::of(&plan)) {
            let about = record.take().map_or(0, |record| record.engine.bytes);
            remarks.push(format!(
                "engine      {} is ignored: it is about an engine of {about} bytes, this one has {}{}",
                EngineRecord::path(path).display(),
                plan.len(),
                if about > plan.len() as u64 { " and may be cut short" } else { "" }
            ));
        }
        let brings_code = record.as_ref().is_some_and(|record| record.options.version_compatible);
        if brings_code && !self.options.tensorrt.host_code {
            return Err(SelectError::HostCode { engine: path.to_owned() });
        }
        let mut reasons = Reasons::default();
        let mut misfit = None;
        for flavour in self.flavours() {
            let installed = match self.install(flavour) {
                Ok(installed) => installed,
                Err(reason) => {
                    reasons.add(reason);
                    continue;
                }
            };
            let found = record.as_ref().map(|record| record.differences(&installed.there));
            let found = found.unwrap_or_default();
            // A library of another line would only say that it does not know such a file.
            let other_line = record.as_ref().is_some_and(|record| record.flavour != flavour);
            let error = match other_line {
                true => None,
                false => match self.load(path, &plan, &installed) {
                    Ok((backend, remark)) => {
                        remarks.push(remark);
                        let engine = LoadedEngine { path: path.to_owned(), record };
                        return Ok(running(backend, engine, remarks));
                    }
                    Err(error) => Some(error),
                },
            };
            match (&record, found.is_empty()) {
                // What the library of the engine's own line says comes before what others would.
                (Some(record), false) if misfit.is_none() || !other_line => {
                    misfit = Some(SelectError::Misfit {
                        engine: path.to_owned(),
                        differences: found,
                        command: record.rebuild_command(path, flavour),
                        source: error.map(|error| Box::new(error.into())),
                    });
                }
                _ => error.into_iter().for_each(|error| reasons.add(Reason::Tried(chain(&error)))),
            }
        }
        Err(misfit.unwrap_or_else(|| self.refused(path, remarks, reasons)))
    }

    /// An engine of the network in an ONNX file: the one that is kept, or a new one.
    fn network(&self, path: &Path) -> Result<Opened, SelectError> {
        let model = Original::read(path, self.options)?;
        let mut reasons = Reasons::default();
        for flavour in self.flavours() {
            let opened = self
                .install(flavour)
                .map_err(Failure::Here)
                .and_then(|installed| self.kept_or_new(&model, &installed));
            match opened {
                Ok(opened) => return Ok(opened),
                Err(Failure::Everywhere(error)) => return Err(error),
                Err(Failure::Here(reason)) => reasons.add(reason),
            }
        }
        Err(self.refused(path, Vec::new(), reasons))
    }

    /// What was found out on the way is said together with the refusal.
    fn refused(&self, model: &Path, remarks: Vec<String>, reasons: Reasons) -> SelectError {
        remarks.iter().for_each(|remark| (self.watch.say)(remark));
        SelectError::NoTensorRt { model: model.to_owned(), reasons: reasons.list() }
    }

    fn kept_or_new(&self, model: &Original<'_>, installed: &Installed) -> Result<Opened, Failure> {
        let no_cache = |folder: Option<&Path>, source| {
            Failure::Everywhere(SelectError::Cache { folder: folder.map(Path::to_owned), source })
        };
        let folder = self.options.tensorrt.cache.as_deref();
        let folder = folder.ok_or_else(|| no_cache(None, None))?;
        let path = cache::path(folder, &model.hash, &model.options, &installed.there);
        if let Kept::Loads(opened) = self.kept(&path, &model.hash, installed) {
            return Ok(*opened);
        }
        std::fs::create_dir_all(folder).map_err(|error| no_cache(Some(folder), Some(error)))?;
        let waiting = |owner: &str| {
            let line = format!("waiting     for process {owner}, which is making the same engine");
            (self.watch.say)(&line);
        };
        let lock = Lock::wait(&path, waiting, self.watch.cancelled)
            .map_err(|error| everywhere(error.into()))?;
        // Asked before anything is written: it is what makes Ctrl-C wait for the build.
        if (self.watch.cancelled)() {
            return Err(everywhere(ConvertError::Cancelled));
        }
        // Whoever had the lock may have made it.
        match self.kept(&path, &model.hash, installed) {
            Kept::Loads(opened) => return Ok(*opened),
            Kept::Nothing => {}
            Kept::Unusable(why) => {
                let line = format!("engine      {} is made again: {why}", path.display());
                (self.watch.say)(&line);
            }
        }
        let record = self.convert(&lock, model, installed)?;
        let plan = regular::read(&path).map_err(|error| tried(&error))?;
        let (backend, remark) =
            self.load(&path, &plan, installed).map_err(|error| tried(&error))?;
        let engine = LoadedEngine { path, record: Some(record) };
        Ok(running(backend, engine, vec![remark]))
    }

    /// The engine that is kept at `path`, if it is one of that network and loads.
    fn kept(&self, path: &Path, hash: &FileHash, installed: &Installed) -> Kept {
        if !path.exists() {
            return Kept::Nothing;
        }
        let plan = match regular::read(path) {
            Ok(plan) => plan,
            Err(error) => return Kept::Unusable(error.to_string()),
        };
        let record = match EngineRecord::load(path) {
            Ok(Some(record))
                if record.model_hash == *hash && record.engine == FileHash::of(&plan) =>
            {
                record
            }
            Ok(_) => {
                return Kept::Unusable("its record is about another engine, or missing".to_owned());
            }
            Err(_) => return Kept::Unusable("its record cannot be read".to_owned()),
        };
        match self.load(path, &plan, installed) {
            Ok((backend, remark)) => {
                let engine = LoadedEngine { path: path.to_owned(), record: Some(record) };
                let kept = format!("engine      {}, made before", path.display());
                Kept::Loads(Box::new(running(backend, engine, vec![remark, kept])))
            }
            Err(error) => Kept::Unusable(chain(&error)),
        }
    }

    /// Makes an engine, saying so.
    fn convert(
        &self,
        lock: &Lock,
        model: &Original<'_>,
        installed: &Installed,
    ) -> Result<EngineRecord, Failure> {
        let Original { path, data, options, .. } = model;
        let network = Network::of(path, data.clone(), options.precision, options.batch);
        let network = network.map_err(everywhere)?;
        let Installed { found, library, there } = installed;
        let parser = found.parser.clone().ok_or_else(|| {
            Failure::Here(Reason::Tried(format!(
                "{}: cannot read ONNX files without {} beside it",
                found.runtime.display(),
                there.flavour.parser_library()
            )))
        })?;
        let log = Arc::new(LogFile::create(&LogFile::beside(lock.output())).map_err(everywhere)?);
        let library = Library::open(there.flavour, library.path(), log as Arc<dyn Log>)
            .map_err(|error| tried(&error))?;
        (self.watch.say)(&format!(
            "converting  {} to {}, batches {}, with {} {}; kept as {}",
            path.display(),
            options.precision,
            options.batch,
            there.flavour.title(),
            there.library,
            lock.output().display()
        ));
        let tools = Tools { library, parser, gpu: Ok(self.context.clone()) };
        let progress = Arc::clone(&self.watch.progress);
        let record = convert::build(lock, &network, options, &tools, None, None, progress);
        let record = record.map_err(|error| match error {
            // Another flavour may take it.
            ConvertError::Build { .. } => tried(&error),
            other => everywhere(other),
        })?;
        (self.watch.say)(&format!("converted   in {:.1} s", record.build_seconds));
        Ok(record)
    }

    /// Puts an engine on the GPU. Also gives a line about what runs it.
    fn load(
        &self,
        path: &Path,
        plan: &[u8],
        installed: &Installed,
    ) -> Result<(TensorRt, String), BackendError> {
        let Installed { found, library, there } = installed;
        let settings = &self.options.tensorrt;
        let options = TensorRtOptions {
            library: library.clone(),
            log: Arc::clone(&self.watch.log),
            lanes: self.options.gpu.lanes,
            graphs: settings.graphs,
            host_code: settings.host_code,
        };
        let backend = TensorRt::from_bytes(path, plan, &self.context, &options)?;
        let remark = format!(
            "backend     {} {} from {}, {} lanes, on {}",
            there.flavour.title(),
            there.library,
            found.origin,
            self.options.gpu.lanes,
            there.gpu
        );
        Ok((backend, remark))
    }
}

/// A network that is to be made an engine.
struct Original<'a> {
    path: &'a Path,
    data: Vec<u8>,
    hash: FileHash,
    /// How its engine is built.
    options: EngineOptions,
}

impl<'a> Original<'a> {
    fn read(path: &'a Path, options: &BackendOptions) -> Result<Self, SelectError> {
        let data = Model::read(path).map_err(BackendError::from)?;
        let mut model = Model::decode(path, &data).map_err(BackendError::from)?;
        let limit = ModelSpec::declared(path, &model)?.batch_limit();
        let mut options = cache::options(options.tensorrt_precision()?, options.largest_batch);
        // A batch that cannot be made symbolic stays as it is.
        if let BatchLimit::Fixed(n) = limit
            && make_batch_symbolic(&mut model).is_err()
        {
            options.batch = BatchRange::new(n, n, n).unwrap_or_default();
        }
        let hash = FileHash::of(&data);
        Ok(Self { path, data, hash, options })
    }
}

/// What became of an engine that may be kept.
enum Kept {
    Nothing,
    Unusable(String),
    Loads(Box<Opened>),
}

/// Why a flavour does not do.
enum Reason {
    /// It is not there.
    Missing(String),
    /// It is there, and failed.
    Tried(String),
}

/// The reasons of several flavours.
#[derive(Default)]
struct Reasons {
    missing: Vec<String>,
    tried: Vec<String>,
}

impl Reasons {
    fn add(&mut self, reason: Reason) {
        match reason {
            Reason::Missing(why) => self.missing.push(why),
            Reason::Tried(why) => self.tried.push(why),
        }
    }

    /// What is not there matters only where nothing is.
    fn list(self) -> Vec<String> {
        if self.tried.is_empty() { self.missing } else { self.tried }
    }
}

/// Why there is no engine.
enum Failure {
    /// With this flavour; another may do.
    Here(Reason),
    /// With any.
    Everywhere(SelectError),
}

fn tried(error: &dyn std::error::Error) -> Failure {
    Failure::Here(Reason::Tried(chain(error)))
}

fn everywhere(error: ConvertError) -> Failure {
    Failure::Everywhere(error.into())
}
