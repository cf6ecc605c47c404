//! OpenVINO, with what it takes to open it.

use std::path::Path;

use engine_sys::search::find_openvino;

use super::precision::quantized_remark;
use super::{
    BackendOptions, OpenVinoSettings, Opened, PrecisionChoice, SelectError, chain, not_quantized,
    read,
};
use crate::backend::{BackendError, OpenVino, OpenVinoOptions, OpenVinoPrecision};
use crate::threads::cores;

/// Runs the network in the file `model`.
pub(super) fn open(model: &Path, options: &BackendOptions) -> Result<Opened, SelectError> {
    let quantized = read(model)?.0.is_quantized();
    if options.precision == PrecisionChoice::Int8 && !quantized {
        return Err(not_quantized(model));
    }
    let settings = &options.openvino;
    let library = find_openvino(settings.library.as_deref()).map_err(BackendError::from)?;
    let threads = options.threads.unwrap_or_else(cores);
    let streams = settings.streams.unwrap_or_else(|| OpenVinoSettings::usual_streams(threads));
    let openvino = OpenVinoOptions {
        library: library.clone(),
        threads,
        streams,
        precision: match options.precision {
            PrecisionChoice::Auto if quantized => OpenVinoPrecision::Int8,
            PrecisionChoice::Auto | PrecisionChoice::Fp32 => OpenVinoPrecision::Fp32,
            PrecisionChoice::Fp16 => OpenVinoPrecision::Fp16,
            PrecisionChoice::Bf16 => OpenVinoPrecision::Bf16,
            PrecisionChoice::Int8 => OpenVinoPrecision::Int8,
        },
    };
    let backend = OpenVino::open(model, &openvino)?;
    let streams = match streams {
        1 => "1 stream".to_owned(),
        n => format!("{n} streams"),
    };
    let version = backend.library_version();
    let mut remarks =
        vec![format!("backend     OpenVINO {version} from {}, {streams}", library.display())];
    remarks.extend(quantized_remark(quantized, options.precision));
    let undecided = options.precision == PrecisionChoice::Auto && !quantized;
    Ok(Opened { backend: Box::new(backend), remarks, engine: None, undecided })
}

/// What is known about OpenVINO here.
pub(super) struct Probe {
    /// Version and build of its library.
    pub(super) version: String,
    /// Whether the processor computes in bf16.
    pub(super) bf16: bool,
}

/// Looks for OpenVINO; or says why it cannot be used.
pub(super) fn probe(settings: &OpenVinoSettings) -> Result<Probe, String> {
    let library = find_openvino(settings.library.as_deref()).map_err(|error| chain(&error))?;
    let (version, cpu) = OpenVino::describe(&library).map_err(|error| chain(&error))?;
    Ok(Probe { version, bf16: cpu.precisions().contains(&OpenVinoPrecision::Bf16) })
}
