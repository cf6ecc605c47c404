//! From what a user asks for to a backend that is ready to run: which runtime, on which device, and
//! for TensorRT an engine of the network, made first where there is none.

mod contender;
mod contest;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "cuda_absent.rs"]
mod cuda;
mod error;
#[cfg(feature = "tensorrt")]
mod loaded;
#[cfg(not(feature = "tensorrt"))]
#[path = "loaded_absent.rs"]
mod loaded;
#[cfg(feature = "openvino")]
mod openvino;
#[cfg(not(feature = "openvino"))]
#[path = "openvino_absent.rs"]
mod openvino;
mod options;
mod precision;
#[cfg(feature = "tensorrt")]
mod tensorrt;
#[cfg(not(feature = "tensorrt"))]
#[path = "tensorrt_absent.rs"]
mod tensorrt;

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "tensorrt")]
use engine_sys::Flavour;
use engine_sys::{Log, Progress};

pub use self::contender::Contender;
pub use self::contest::{Identity, identify};
pub use self::error::SelectError;
pub use self::loaded::LoadedEngine;
pub use self::options::{
    BackendChoice, BackendOptions, GpuSettings, OpenVinoSettings, ProviderChoice, TensorRtSettings,
};
use self::precision::quantized_remark;
pub use self::precision::{PrecisionChoice, UnknownPrecisionChoice};
use crate::backend::{Backend, BackendError, ModelSpec, OnnxRuntime, Simulated};
use crate::batch::Assembler;
use crate::dataset::FrameStore;
use crate::frame::ModelGeometry;
use crate::onnx::Model;
use crate::threads::cores;

/// A backend that is ready, and how it was chosen.
pub struct Opened {
    /// What runs the network.
    pub backend: Box<dyn Backend>,
    /// What is to be said about the choice, a line each.
    pub remarks: Vec<String>,
    /// The engine that TensorRT runs, to be compared with its network before it is used.
    pub engine: Option<LoadedEngine>,
    /// Whether what runs it, and in which precision, is still to be found out by measuring.
    pub(crate) undecided: bool,
}

impl Opened {
    /// The same, with remarks about what came before.
    fn after(mut self, mut remarks: Vec<String>) -> Self {
        remarks.append(&mut self.remarks);
        Self { remarks, ..self }
    }
}

/// What an engine is compared over, frames of a package.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The package's folder.
    pub package: &'a Path,
    /// Its frames.
    pub store: &'a FrameStore,
    /// Its inputs.
    pub assembler: &'a Assembler,
    /// Frames that are to be made, where that is known: few are not worth a measurement.
    pub frames: Option<u64>,
}

/// What runs a network from now on.
pub struct Ready {
    /// The backend.
    pub backend: Box<dyn Backend>,
    /// The file that it runs: the network that was asked for, or its quantized form.
    pub model: Option<PathBuf>,
}

impl Opened {
    /// The backend, to be used from now on. Where that is an engine, it is first compared with its
    /// network over `sample`, once on each GPU ([`LoadedEngine::verify`]). One that is too far from
    /// `model`, its network, is given up for ONNX Runtime where the choice is free. Where runtime and
    /// precision are left open on a processor, they are measured, once, and the fastest is taken of
    /// those whose frames are near enough to full precision ([`BackendOptions::min_psnr_db`]).
    ///
    /// # Errors
    /// When the engine is not to be used and nothing else may take its place, or the comparison
    /// fails.
    pub fn verified(
        mut self,
        model: Option<&Path>,
        sample: Sample<'_>,
        options: &BackendOptions,
        watch: &Watch<'_>,
    ) -> Result<Ready, SelectError> {
        self = self.with_good_engine(model, sample, options, watch)?;
        match (self.undecided, model) {
            (true, Some(model)) => contest::settle(self.backend, model, sample, options, watch),
            _ => Ok(Ready { backend: self.backend, model: model.map(Path::to_owned) }),
        }
    }

    /// The same, its engine compared with the network; or what may take its place.
    fn with_good_engine(
        mut self,
        model: Option<&Path>,
        sample: Sample<'_>,
        options: &BackendOptions,
        watch: &Watch<'_>,
    ) -> Result<Self, SelectError> {
        let Some(engine) = self.engine.take() else { return Ok(self) };
        match (engine.verify(&mut *self.backend, sample, options, watch), model) {
            (Err(error), Some(model)) if error.is_too_far() && options.may_choose(model) => {
                (watch.say)(&format!("warning: {error}"));
                drop(self.backend);
                // No engine is opened here.
                let mut opened = open_without_tensorrt(model, options)?;
                opened.remarks.drain(..).for_each(|remark| (watch.say)(&remark));
                Ok(opened)
            }
            (verified, _) => verified.map(|()| self),
        }
    }
}

/// How the one who waits is told what goes on, and can end it.
#[derive(Clone)]
pub struct Watch<'a> {
    /// Takes a line about what is being done, such as a conversion that begins.
    pub say: &'a dyn Fn(&str),
    /// Whether to stop.
    pub cancelled: &'a dyn Fn() -> bool,
    /// Takes TensorRT's messages.
    pub log: Arc<dyn Log>,
    /// Follows a conversion; breaking cancels it.
    pub progress: Arc<dyn Progress>,
}

/// Sides of the simulated network where there is no model to ask.
pub const DEFAULT_SIDE: usize = 320;

/// Opens the backend that `options` ask for, to run `model`: an ONNX file, or an engine. Only the
/// simulated backend needs none.
///
/// # Errors
/// When what was asked for cannot be had. Nothing else is taken in its place; only
/// [`BackendChoice::Auto`] goes on to the next, and says why.
pub fn open(
    model: Option<&Path>,
    options: &BackendOptions,
    watch: &Watch<'_>,
) -> Result<Opened, SelectError> {
    options.check_streams()?;
    if options.backend == BackendChoice::Simulated {
        options.check_simulated_precision()?;
        let geometry = match model {
            Some(model) if is_engine(model) => {
                return Err(SelectError::Engine { path: model.to_owned() });
            }
            Some(model) => read(model)?.1.geometry(),
            None => ModelGeometry::new(DEFAULT_SIDE).ok_or(SelectError::NoModel)?,
        };
        return Ok(silent(Simulated::new(geometry, options.simulated_ms)?));
    }
    let model = model.ok_or(SelectError::NoModel)?;
    match options.backend {
        BackendChoice::TensorRt => tensorrt::open(model, options, watch),
        // Nothing else runs it.
        BackendChoice::Auto if is_engine(model) => tensorrt::open(model, options, watch),
        _ if is_engine(model) => Err(SelectError::Engine { path: model.to_owned() }),
        BackendChoice::OnnxRuntime => onnxruntime(model, named_provider(options), options),
        BackendChoice::OpenVino => openvino::open(model, options),
        BackendChoice::Auto | BackendChoice::Simulated => best(model, options, watch),
    }
}

/// Checks that this program was built with `flavour`, or with any. Where it was not, neither another
/// model nor a driver would help.
///
/// # Errors
/// [`SelectError::NotBuilt`].
#[cfg(feature = "tensorrt")]
pub fn built_in(flavour: Option<Flavour>) -> Result<(), SelectError> {
    let built = |flavour: Flavour| flavour.headers().is_some();
    match flavour.map_or_else(|| Flavour::ALL.into_iter().any(built), built) {
        true => Ok(()),
        false => Err(SelectError::NotBuilt { what: flavour.map_or("TensorRT", Flavour::title) }),
    }
}

/// Whether a model is an engine by its name, not an ONNX file.
pub fn is_engine(model: &Path) -> bool {
    let extension = model.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("engine" | "plan" | "trt"))
}

/// The first that opens, of TensorRT, ONNX Runtime on the GPU, and ONNX Runtime on the CPU, with the
/// reasons why the ones before do not.
fn best(model: &Path, options: &BackendOptions, watch: &Watch<'_>) -> Result<Opened, SelectError> {
    // What is wrong with the model is wrong with all of them.
    read(model)?;
    options.check_auto_precision()?;
    if options.provider.is_some() {
        // Whoever names a provider means ONNX Runtime.
        return onnxruntime(model, named_provider(options), options);
    }
    let gpu = match cuda::gpu(options.device) {
        Ok(gpu) => gpu,
        Err(why) => return on_cpu(model, options, Vec::new(), &why),
    };
    match tensorrt::open(model, options, watch) {
        Ok(opened) => Ok(opened),
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => {
            let remarks = vec![format!("backend     not tensorrt: {}", chain(&error))];
            onnxruntime_anywhere(model, options, &gpu, remarks)
        }
    }
}

/// What [`BackendChoice::Auto`] takes where TensorRT's engine is not to be used.
fn open_without_tensorrt(model: &Path, options: &BackendOptions) -> Result<Opened, SelectError> {
    match cuda::gpu(options.device) {
        Ok(gpu) => onnxruntime_anywhere(model, options, &gpu, Vec::new()),
        Err(why) => on_cpu(model, options, Vec::new(), &why),
    }
}

/// ONNX Runtime on `gpu`, else on the processor.
fn onnxruntime_anywhere(
    model: &Path,
    options: &BackendOptions,
    gpu: &str,
    mut remarks: Vec<String>,
) -> Result<Opened, SelectError> {
    match onnxruntime(model, ProviderChoice::Cuda, options) {
        Ok(opened) => Ok(opened.after(remarks)),
        Err(error) => {
            remarks.push(format!("backend     not onnxruntime on {gpu}: {}", chain(&error)));
            on_cpu(model, options, remarks, &format!("nothing runs this network on {gpu}"))
        }
    }
}

/// What [`BackendChoice::Auto`] takes where no GPU runs the network. The only place that decides
/// between the runtimes for the processor.
fn on_cpu(
    model: &Path,
    options: &BackendOptions,
    mut remarks: Vec<String>,
    why: &str,
) -> Result<Opened, SelectError> {
    let undecided = options.precision == PrecisionChoice::Auto;
    options.check_cpu_precision()?;
    let opened = onnxruntime(model, ProviderChoice::Cpu, options)?;
    let what = if undecided { "" } else { "onnxruntime " };
    remarks.push(format!("backend     {what}on the CPU: {why}"));
    Ok(Opened { undecided, ..opened.after(remarks) })
}

/// The ONNX file at `model`, and what it declares, which the engine can feed.
fn read(model: &Path) -> Result<(Model, ModelSpec), SelectError> {
    let read = Model::load(model).map_err(BackendError::from)?;
    let spec = ModelSpec::declared(model, &read)?;
    Ok((read, spec))
}

fn silent(backend: impl Backend + 'static) -> Opened {
    Opened { backend: Box::new(backend), remarks: Vec::new(), engine: None, undecided: false }
}

/// The provider that was named, else the processor.
fn named_provider(options: &BackendOptions) -> ProviderChoice {
    options.provider.unwrap_or(ProviderChoice::Cpu)
}

/// ONNX Runtime for `model`.
fn onnxruntime(
    model: &Path,
    provider: ProviderChoice,
    options: &BackendOptions,
) -> Result<Opened, SelectError> {
    options.check_onnxruntime_precision()?;
    let mut remark = None;
    if let PrecisionChoice::Fp32 | PrecisionChoice::Int8 = options.precision {
        let quantized = read(model)?.0.is_quantized();
        if options.precision == PrecisionChoice::Int8 && !quantized {
            return Err(not_quantized(model));
        }
        remark = quantized_remark(quantized, options.precision);
    }
    let opened = match provider {
        ProviderChoice::Cpu => silent(OnnxRuntime::open(model, &options.onnxruntime(cores())?)?),
        ProviderChoice::Cuda => cuda::onnxruntime(model, options)?,
    };
    Ok(opened.after(remark.into_iter().collect()))
}

/// Says that the network in the file `model` is not quantized, and which file is.
fn not_quantized(model: &Path) -> SelectError {
    let path = model.to_owned();
    match identify(model).ok().and_then(|identity| identity.quantized) {
        Some((form, _)) => SelectError::QuantizedBeside { path, form },
        None => BackendError::NotQuantized { path }.into(),
    }
}

/// An error and what caused it in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use engine_sys::{NoProgress, Severity};

    use super::*;

    struct Quiet;

    impl Log for Quiet {
        fn message(&self, _severity: Severity, _text: &str) {}
    }

    fn opened(model: Option<&str>, backend: BackendChoice) -> Result<Opened, SelectError> {
        let watch = Watch {
            say: &|_| (),
            cancelled: &|| false,
            log: Arc::new(Quiet),
            progress: Arc::new(NoProgress),
        };
        let options = BackendOptions { backend, ..BackendOptions::default() };
        open(model.map(Path::new), &options, &watch)
    }

    #[test]
    fn only_the_simulated_backend_needs_no_model() {
        let simulated = opened(None, BackendChoice::Simulated).unwrap();
        assert_eq!(simulated.backend.geometry().side(), 320);
        use BackendChoice::{Auto, OnnxRuntime, OpenVino, TensorRt};
        for choice in [Auto, OnnxRuntime, OpenVino, TensorRt] {
            assert!(matches!(opened(None, choice), Err(SelectError::NoModel)), "{choice:?}");
        }
    }

    #[test]
    fn engines_are_for_tensorrt() {
        use BackendChoice::{OnnxRuntime, OpenVino, Simulated};
        for choice in [OnnxRuntime, OpenVino, Simulated] {
            let error = opened(Some("m.plan"), choice).err().unwrap().to_string();
            assert!(error.contains("m.plan") && error.contains("--backend tensorrt"), "{error}");
        }
        assert!(is_engine(Path::new("a/m.engine")) && !is_engine(Path::new("m.engine.onnx")));
    }
}
