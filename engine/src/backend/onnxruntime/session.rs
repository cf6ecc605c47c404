//! Sessions on the CPU.

use std::path::Path;

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, ValueType};

use super::OnnxRuntimeOptions;
use super::environment::environment;
use crate::backend::BackendError;
use crate::backend::spec::TensorInfo;

/// A session on the CPU for `model`, in the library that all of this process share.
///
/// # Errors
/// When the library cannot be loaded, or refuses the model.
pub(crate) fn open_session(
    model: &Path,
    options: &OnnxRuntimeOptions,
) -> Result<Session, BackendError> {
    let environment = environment(&options.library)?;
    let open = || -> ort::Result<Session> {
        Session::builder(&environment)?.with_intra_threads(options.threads)?.commit_from_file(model)
    };
    open().map_err(|error| refused(model, error))
}

/// A session on the CPU for a model in memory, which errors call `name`. Without `optimized` the graph
/// is run as it stands: slower, but the session is made faster.
///
/// # Errors
/// When the library cannot be loaded, or refuses the model.
pub(crate) fn session_of(
    model: &[u8],
    name: &Path,
    options: &OnnxRuntimeOptions,
    optimized: bool,
) -> Result<Session, BackendError> {
    let environment = environment(&options.library)?;
    let level = match optimized {
        true => GraphOptimizationLevel::All,
        false => GraphOptimizationLevel::Disable,
    };
    let open = || -> ort::Result<Session> {
        Session::builder(&environment)?
            .with_intra_threads(options.threads)?
            .with_optimization_level(level)?
            .commit_from_memory(model)
    };
    open().map_err(|error| refused(name, error))
}

/// What the library says about a model that it does not take.
pub(super) fn refused(model: &Path, error: ort::Error) -> BackendError {
    BackendError::Load { path: model.to_owned(), runtime: "ONNX Runtime", source: error.into() }
}

/// What the runtime says about its inputs or outputs.
pub(crate) fn tensor_infos(outlets: &[Outlet]) -> Vec<TensorInfo> {
    outlets.iter().map(tensor_info).collect()
}

fn tensor_info(outlet: &Outlet) -> TensorInfo {
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
