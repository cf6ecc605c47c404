//! ONNX Runtime on the CPU, loaded at run time.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ort::environment::Environment;
use ort::session::Session;
use ort::value::{TensorElementType, TensorRef, TensorValueType, Value, ValueType};

use super::spec::TensorInfo;
use super::{Backend, BackendError, BatchLimit, LibraryError, ModelSpec};
use crate::batch::{
    Completed, HostBatch, HostBuffer, InFlight, PredictionMemory, Predictions, Span,
};
use crate::frame::ModelGeometry;
use crate::onnx::Model;

/// How to run a model on ONNX Runtime.
#[derive(Clone, Debug)]
pub struct OnnxRuntimeOptions {
    /// The library, from [`find_onnxruntime`](super::find_onnxruntime).
    pub library: PathBuf,
    /// Threads that work on one operator; at least 1.
    pub threads: usize,
}

/// A session on the CPU. It computes while it is waited for, so one batch can be in flight.
pub struct OnnxRuntime {
    spec: ModelSpec,
    threads: usize,
    session: Session,
}

impl OnnxRuntime {
    /// Loads the library and the model, and checks that the engine can feed it.
    ///
    /// # Errors
    /// When the library cannot be loaded, the file is not a model, or its inputs and outputs are
    /// not the expected ones.
    pub fn open(model: &Path, options: &OnnxRuntimeOptions) -> Result<Self, BackendError> {
        // What the file declares is checked first: the runtime's own words for a model that is
        // missing, cut short or of other shapes are riddles.
        ModelSpec::declared(model, &Model::load(model)?)?;
        let environment = environment(&options.library)?;
        let session = session(&environment, model, options.threads)
            .map_err(|error| BackendError::Load { path: model.to_owned(), source: error.into() })?;
        let describe =
            |list: &[ort::value::Outlet]| list.iter().map(tensor_info).collect::<Vec<_>>();
        let spec =
            ModelSpec::check(model, &describe(session.inputs()), &describe(session.outputs()))?;
        Ok(Self { spec, threads: options.threads, session })
    }

    /// What is known about the model.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Version and build of the library at `library`.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn library_version(library: &Path) -> Result<&'static str, LibraryError> {
        environment(library)?;
        Ok(ort::info())
    }

    fn run(&mut self, batch: &HostBatch) -> Result<Prediction, BackendError> {
        let frames = match self.spec.batch_limit() {
            BatchLimit::Any | BatchLimit::UpTo(_) => batch.len(),
            // A short last batch runs at full size; what the spare slots predict is not read.
            BatchLimit::Fixed(n) => n,
        };
        let side = self.spec.geometry().side();
        let failed = |attempt: &'static str| {
            move |error: ort::Error| BackendError::Run { attempt, source: error.into() }
        };
        let image = TensorRef::from_array_view(([frames, 6, side, side], batch.image(frames)))
            .map_err(failed("binding the image input"))?;
        let audio = TensorRef::from_array_view(([frames, 32, 16, 16], batch.audio(frames)))
            .map_err(failed("binding the audio input"))?;
        let inputs = ort::inputs![ModelSpec::IMAGE => image, ModelSpec::AUDIO => audio];
        let mut outputs = self.session.run(inputs).map_err(failed("running the network"))?;
        let expected = vec![frames as i64, 3, side as i64, side as i64];
        let output = outputs
            .remove(ModelSpec::OUTPUT)
            .and_then(|value| value.downcast::<TensorValueType<f32>>().ok())
            .ok_or_else(|| BackendError::OutputShape {
                found: vec![],
                expected: expected.clone(),
            })?;
        if output.shape()[..] != expected[..] {
            return Err(BackendError::OutputShape { found: output.shape().to_vec(), expected });
        }
        Ok(Prediction(output))
    }
}

/// The library can be loaded once a process; a second path is refused rather than ignored.
fn environment(library: &Path) -> Result<Environment, LibraryError> {
    use std::sync::{Mutex, PoisonError};
    static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
    let unusable = |source: Box<dyn std::error::Error + Send + Sync>| LibraryError::Unusable {
        path: library.to_owned(),
        source,
    };
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, environment)) = &*loaded {
        return match path == library {
            true => Ok(environment.clone()),
            false => Err(unusable(
                format!("{} is already loaded in this process", path.display()).into(),
            )),
        };
    }
    let environment = ort::init_from(library)
        .map_err(|error| unusable(error.into()))?
        .build()
        .map_err(|error| unusable(error.into()))?;
    environment.set_log_level(ort::logging::LogLevel::Error);
    *loaded = Some((library.to_owned(), environment.clone()));
    Ok(environment)
}

fn session(environment: &Environment, model: &Path, threads: usize) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?.with_intra_threads(threads)?;
    builder.commit_from_file(model)
}

fn tensor_info(outlet: &ort::value::Outlet) -> TensorInfo {
    let name = outlet.name().to_owned();
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, dimension_symbols } => {
            let dims: Vec<i64> = shape.iter().copied().collect();
            let words: Vec<String> = dims
                .iter()
                .zip(dimension_symbols.iter())
                .map(|(&dim, symbol)| match (dim, symbol.as_str()) {
                    (0.., _) => dim.to_string(),
                    (_, "") => "?".to_owned(),
                    (_, symbol) => symbol.to_owned(),
                })
                .collect();
            let element = match ty {
                TensorElementType::Float32 => "float32".to_owned(),
                TensorElementType::Float16 => "float16".to_owned(),
                other => other.to_string(),
            };
            let text = format!("{element} [{}]", words.join(","));
            TensorInfo { name, float32: *ty == TensorElementType::Float32, dims, text }
        }
        other => TensorInfo { name, float32: false, dims: Vec::new(), text: format!("{other}") },
    }
}

/// An output tensor in memory of the runtime's arena.
struct Prediction(Value<TensorValueType<f32>>);

impl PredictionMemory for Prediction {
    fn floats(&self) -> &[f32] {
        self.0.extract_tensor().1
    }
}

impl Backend for OnnxRuntime {
    fn name(&self) -> &'static str {
        "onnxruntime"
    }

    fn provider(&self) -> &str {
        "CPUExecutionProvider"
    }

    fn geometry(&self) -> ModelGeometry {
        self.spec.geometry()
    }

    fn batch_limit(&self) -> BatchLimit {
        self.spec.batch_limit()
    }

    fn cpu_threads(&self) -> usize {
        self.threads
    }

    fn max_in_flight(&self) -> usize {
        1
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        self.spec.require_batch(capacity)?;
        // The predictions arrive in memory of the runtime's own.
        let none = Predictions::Host(HostBuffer::zeroed(0)?);
        Ok(HostBatch::new(self.spec.geometry(), capacity, none)?)
    }

    fn enqueue(&mut self, batch: HostBatch) -> Result<InFlight, BackendError> {
        Ok(batch.into_flight(0))
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        let start = Instant::now();
        let prediction = self.run(in_flight.batch())?;
        let predictions = Predictions::Backend(Box::new(prediction));
        Ok(in_flight.complete(Span::since(start), Some(predictions)))
    }
}
