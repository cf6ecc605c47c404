//! What runs the network, as far as a host can ask for it.

use std::path::{Path, PathBuf};

use engine::backend::{
    Backend, ModelSpec, OnnxRuntime, OnnxRuntimeOptions, Provider, Simulated, find_onnxruntime,
};
use engine::frame::ModelGeometry;
use engine::onnx::Model;
use engine::pipeline::cores;

use crate::error::{Code, Error};

/// Side of the simulated network where there is no model to ask.
const DEFAULT_SIDE: usize = 320;

/// What runs the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackendChoice {
    Auto,
    TensorRt,
    OnnxRuntime,
    Simulated,
}

/// Where ONNX Runtime computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderChoice {
    Cpu,
    Cuda,
}

/// Which backend is wanted, and how it is to run.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "tensorrt"), expect(dead_code, reason = "TensorRT reads some of it"))]
pub(crate) struct BackendOptions {
    pub(crate) backend: BackendChoice,
    pub(crate) simulated_ms: f64,
    pub(crate) onnxruntime_library: Option<PathBuf>,
    pub(crate) provider: Option<ProviderChoice>,
    pub(crate) device: usize,
    pub(crate) threads: Option<usize>,
    pub(crate) lanes: usize,
    pub(crate) tensorrt_folder: Option<PathBuf>,
    pub(crate) cuda_graphs: bool,
}

/// Opens what `options` ask for, to run `model`; the simulated backend needs none.
pub(crate) fn open(
    model: Option<&Path>,
    options: &BackendOptions,
) -> Result<Box<dyn Backend>, Error> {
    if options.backend == BackendChoice::Simulated {
        let geometry = match model {
            Some(model) => {
                let read = Model::load(model).map_err(engine::backend::BackendError::from)?;
                ModelSpec::declared(model, &read)?.geometry()
            }
            None => ModelGeometry::new(DEFAULT_SIDE)
                .ok_or(Error::new(Code::Internal, "the default side is out of range"))?,
        };
        return Ok(Box::new(Simulated::new(geometry, options.simulated_ms)?));
    }
    let Some(model) = model else {
        let message = "the package has no network (what onnx.file in package_info.json names, else \
                       checkpoint/model_best.onnx); expected one, or options.model";
        return Err(Error::new(Code::Package, message));
    };
    match options.backend {
        BackendChoice::TensorRt => tensorrt(model, options),
        BackendChoice::Auto if is_engine(model) => tensorrt(model, options),
        _ if is_engine(model) => Err(Error::text(
            Code::Backend,
            format!("{}: is an engine, which only TensorRT runs", model.display()),
        )),
        _ => Ok(Box::new(onnxruntime(model, options)?)),
    }
}

/// Whether a model is an engine by its name.
fn is_engine(model: &Path) -> bool {
    let extension = model.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("engine" | "plan" | "trt"))
}

fn onnxruntime(model: &Path, options: &BackendOptions) -> Result<OnnxRuntime, Error> {
    let library = find_onnxruntime(options.onnxruntime_library.as_deref())
        .map_err(engine::backend::BackendError::from)?;
    let provider = match options.provider {
        Some(ProviderChoice::Cuda) => {
            Provider::Cuda { device: i32::try_from(options.device).unwrap_or(i32::MAX) }
        }
        Some(ProviderChoice::Cpu) | None => Provider::Cpu,
    };
    let default = match provider {
        Provider::Cpu => cores(),
        Provider::Cuda { .. } => 1,
    };
    let threads = options.threads.unwrap_or(default);
    Ok(OnnxRuntime::open(model, &OnnxRuntimeOptions { library, threads, provider })?)
}

#[cfg(not(feature = "tensorrt"))]
fn tensorrt(_model: &Path, _options: &BackendOptions) -> Result<Box<dyn Backend>, Error> {
    Err(Error::new(Code::Unsupported, "this library was built without TensorRT"))
}

/// The engine on the first TensorRT that takes it.
#[cfg(feature = "tensorrt")]
fn tensorrt(model: &Path, options: &BackendOptions) -> Result<Box<dyn Backend>, Error> {
    use std::sync::Arc;

    use engine::backend::{BackendError, TensorRt, TensorRtOptions};
    use engine_sys::{Flavour, Library, search};

    if !is_engine(model) {
        let message = format!(
            "{}: TensorRT runs engines; expected a file named .engine, .plan or .trt",
            model.display()
        );
        return Err(Error::text(Code::Backend, message));
    }
    let context = engine::cuda::Context::new(options.device).map_err(BackendError::from)?;
    let mut reasons = Vec::new();
    for flavour in Flavour::ALL {
        let found = match search::find(flavour, options.tensorrt_folder.as_deref()) {
            Ok(found) => found,
            Err(error) => {
                reasons.push(error.to_string());
                continue;
            }
        };
        let opened = Library::open(flavour, &found.runtime, Arc::new(Warnings))
            .map_err(BackendError::from)
            .and_then(|library| {
                let options = TensorRtOptions {
                    library,
                    log: Arc::new(Warnings),
                    lanes: options.lanes,
                    graphs: options.cuda_graphs,
                    host_code: false,
                };
                TensorRt::open(model, &context, &options)
            });
        match opened {
            Ok(backend) => {
                crate::log::info(&format!(
                    "backend: {} on {}",
                    flavour.title(),
                    context.device().name
                ));
                return Ok(Box::new(backend));
            }
            Err(error) => reasons.push(Error::from(error).message.into_owned()),
        }
    }
    let message = format!("{}: no TensorRT here runs it: {}", model.display(), reasons.join("; "));
    Err(Error::text(Code::Backend, message))
}

/// Hands TensorRT's warnings to the host. Errors come back with the call that fails.
#[cfg(feature = "tensorrt")]
struct Warnings;

#[cfg(feature = "tensorrt")]
impl engine_sys::Log for Warnings {
    fn message(&self, severity: engine_sys::Severity, text: &str) {
        if severity == engine_sys::Severity::Warning {
            crate::log::warning(text.trim_end());
        }
    }
}
