//! `--backend`: from arguments to something that runs the network.

use std::path::Path;

use anyhow::{Result, bail};
use engine::backend::{
    Backend, ModelSpec, OnnxRuntime, OnnxRuntimeOptions, Provider, Simulated, find_onnxruntime,
};
use engine::dataset::{DatasetError, Inputs, Package};
use engine::onnx::Model;
use engine::pipeline::cores;

use crate::args::{BackendArgs, BackendChoice, ProviderChoice};
use crate::setup::default_geometry;
use crate::{interrupt, tensorrt};

/// What runs the network, and what is to be said about the choice.
pub(crate) struct Opened {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) remarks: Vec<String>,
}

/// Opens the backend that `args` asks for, to run `model` over the package in `root`.
pub(crate) fn open(root: &Path, args: &BackendArgs, model: Option<&Path>) -> Result<Opened> {
    if args.backend == BackendChoice::Simulated {
        let geometry = match model {
            Some(model) => ModelSpec::declared(model, &Model::load(model)?)?.geometry(),
            None => default_geometry()?,
        };
        return Ok(silent(Simulated::new(geometry, args.simulated_ms)?));
    }
    let Some(model) = model else { return Err(no_network(root)) };
    let engine = tensorrt::is_engine(model);
    match args.backend {
        BackendChoice::Onnxruntime if engine => bail!(
            "{}: is an engine, which only --backend tensorrt runs; expected the ONNX file it was made \
             from",
            model.display()
        ),
        BackendChoice::Onnxruntime => Ok(silent(onnxruntime(model, args, provider(args))?)),
        BackendChoice::Tensorrt => tensorrt::open(model, args),
        // Nothing else runs it.
        BackendChoice::Auto if engine => tensorrt::open(model, args),
        BackendChoice::Auto | BackendChoice::Simulated => best(model, args),
    }
}

/// The first that opens, of TensorRT, ONNX Runtime on the GPU, and ONNX Runtime on the CPU, with the
/// reasons why the ones before do not.
fn best(model: &Path, args: &BackendArgs) -> Result<Opened> {
    // What is wrong with the model is wrong with all of them.
    ModelSpec::declared(model, &Model::load(model)?)?;
    if let Some(choice) = args.provider {
        // Whoever names a provider means ONNX Runtime.
        return Ok(silent(onnxruntime(model, args, gpu_or_cpu(choice, args))?));
    }
    let gpu = match tensorrt::gpu(args.device) {
        Ok(gpu) => gpu,
        Err(why) => {
            let backend = onnxruntime(model, args, Provider::Cpu)?;
            return Ok(Opened {
                remarks: vec![format!("backend     onnxruntime on the CPU: {why}")],
                backend: Box::new(backend),
            });
        }
    };
    let mut remarks = Vec::new();
    match tensorrt::open(model, args) {
        Ok(opened) => return Ok(opened),
        Err(error) if interrupt::token().is_cancelled() => return Err(error),
        Err(error) => remarks.push(format!("backend     not tensorrt: {error:#}")),
    }
    match onnxruntime(model, args, gpu_or_cpu(ProviderChoice::Cuda, args)) {
        Ok(backend) => {
            remarks.push(format!("backend     onnxruntime on {gpu}"));
            return Ok(Opened { backend: Box::new(backend), remarks });
        }
        Err(error) => remarks.push(format!("backend     not onnxruntime on {gpu}: {error:#}")),
    }
    let backend = Box::new(onnxruntime(model, args, Provider::Cpu)?);
    remarks.push("backend     onnxruntime on the CPU, although there is a GPU".to_owned());
    Ok(Opened { backend, remarks })
}

fn silent(backend: impl Backend + 'static) -> Opened {
    Opened { backend: Box::new(backend), remarks: Vec::new() }
}

fn provider(args: &BackendArgs) -> Provider {
    gpu_or_cpu(args.provider.unwrap_or(ProviderChoice::Cpu), args)
}

fn gpu_or_cpu(choice: ProviderChoice, args: &BackendArgs) -> Provider {
    match choice {
        ProviderChoice::Cpu => Provider::Cpu,
        ProviderChoice::Cuda => Provider::Cuda { device: i32::from(args.device) },
    }
}

/// A session of ONNX Runtime for `model`.
pub(crate) fn onnxruntime(
    model: &Path,
    args: &BackendArgs,
    provider: Provider,
) -> Result<OnnxRuntime> {
    let library = find_onnxruntime(args.ort_lib.as_deref())?;
    let threads = match provider {
        Provider::Cpu => cores(),
        Provider::Cuda { .. } => 1,
    };
    let threads = args.threads.map_or(threads, usize::from);
    Ok(OnnxRuntime::open(model, &OnnxRuntimeOptions { library, threads, provider })?)
}

fn no_network(root: &Path) -> anyhow::Error {
    // Where there is no package at all, its network is not what is missing.
    let opened = default_geometry().map(|geometry| Package::open(root, geometry, Inputs::Derived));
    if let Ok(Err(error @ DatasetError::NotAPackage { .. })) = opened {
        return error.into();
    }
    anyhow::anyhow!(
        "{}: the package has no network (what onnx.file in package_info.json names, else \
         checkpoint/model_best.onnx); name one with --model",
        root.display()
    )
}
