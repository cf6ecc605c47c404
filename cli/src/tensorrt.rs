//! TensorRT as this machine has it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use engine::backend::{TensorRt, TensorRtOptions};
use engine::cuda::{self, Context};
use engine_sys::search::{self, Found};
use engine_sys::{Flavour, HOW_TO_BUILD_IN, Library, Log, Severity};

use crate::args::BackendArgs;
use crate::backend::Opened;
use crate::output::note;

/// Prints warnings. Errors come back with the call that fails, and the rest is for log files.
pub(crate) struct Warnings;

impl Log for Warnings {
    fn message(&self, severity: Severity, text: &str) {
        if severity == Severity::Warning {
            note!("warning: {}", text.trim_end());
        }
    }
}

/// Whether a model is an engine by its name.
pub(crate) fn is_engine(model: &Path) -> bool {
    let extension = model.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("engine" | "plan" | "trt"))
}

/// The name of GPU `device`.
///
/// # Errors
/// Why there is none.
pub(crate) fn gpu(device: u8) -> Result<String> {
    let devices = cuda::devices()?;
    let count = devices.len();
    let found = devices.into_iter().find(|info| info.ordinal == usize::from(device));
    found.map(|info| info.name).with_context(|| format!("there is no GPU {device}, only {count}"))
}

/// The library of one flavour.
pub(crate) struct Installed {
    pub(crate) library: Library,
    pub(crate) found: Found,
}

/// Loads the library of `flavour`.
pub(crate) fn install(flavour: Flavour, folder: Option<&Path>) -> Result<Installed> {
    let found = search::find(flavour, folder)?;
    let library = Library::open(flavour, &found.runtime, Arc::new(Warnings))?;
    Ok(Installed { library, found })
}

/// Runs the engine in the file `model`.
pub(crate) fn open(model: &Path, args: &BackendArgs) -> Result<Opened> {
    let flavours = match args.tensorrt.flavour.0 {
        Some(flavour) => vec![flavour],
        None => Flavour::ALL.to_vec(),
    };
    // Neither another model nor a driver would help.
    if flavours.iter().all(|flavour| flavour.headers().is_none()) {
        let what = args.tensorrt.flavour.0.map_or("TensorRT", Flavour::title);
        bail!("this program was built without {what}: {HOW_TO_BUILD_IN}");
    }
    if !is_engine(model) {
        bail!(
            "{}: TensorRT runs engines; expected a file named .engine, which `engine-cli \
             convert-engine` makes",
            model.display()
        );
    }
    let plan =
        std::fs::read(model).with_context(|| format!("{}: cannot be read", model.display()))?;
    let context = Context::new(usize::from(args.device))?;
    let folder = args.tensorrt.tensorrt_lib.as_deref();
    let mut reasons = Vec::new();
    for flavour in flavours {
        let opened = install(flavour, folder)
            .and_then(|installed| engine(model, &plan, &context, installed, args));
        match opened {
            Ok(opened) => return Ok(opened),
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    Err(anyhow!("{}: no TensorRT here runs this engine: {}", model.display(), reasons.join("; ")))
}

fn engine(
    model: &Path,
    plan: &[u8],
    context: &Context,
    installed: Installed,
    args: &BackendArgs,
) -> Result<Opened> {
    let Installed { library, found } = installed;
    let title =
        format!("{} {} from {}", library.flavour().title(), library.version(), found.origin);
    let options = TensorRtOptions {
        library,
        log: Arc::new(Warnings),
        lanes: usize::from(args.tensorrt.lanes),
        graphs: !args.tensorrt.no_graphs,
        host_code: false,
    };
    let backend = Box::new(TensorRt::from_bytes(model, plan, context, &options)?);
    let lanes = options.lanes;
    let remark = format!("backend     {title}, {lanes} lanes, on {}", context.device().name);
    Ok(Opened { backend, remarks: vec![remark] })
}
