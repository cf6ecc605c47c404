//! What could run a network on the processor.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::{
    BackendChoice, BackendOptions, Contender, Opened, PrecisionChoice, ProviderChoice, SelectError,
    onnxruntime, openvino,
};

/// A runtime for the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Runtime {
    OnnxRuntime,
    OpenVino,
}

/// What a network is computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Computed {
    Fp32,
    Bf16,
    /// Where the network says so; that is a quantized one.
    Int8,
}

/// A runtime, and what it computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) runtime: Runtime,
    pub(super) computed: Computed,
}

impl Candidate {
    pub(super) const fn new(runtime: Runtime, computed: Computed) -> Self {
        Self { runtime, computed }
    }

    fn precision(self) -> PrecisionChoice {
        match self.computed {
            Computed::Fp32 => PrecisionChoice::Fp32,
            Computed::Bf16 => PrecisionChoice::Bf16,
            Computed::Int8 => PrecisionChoice::Int8,
        }
    }

    /// The same for everybody, running the file `model`.
    pub(super) fn contender(
        self,
        model: &Path,
        quantized: bool,
        worst_psnr_db: Option<f64>,
    ) -> Contender {
        Contender {
            backend: match self.runtime {
                Runtime::OnnxRuntime => BackendChoice::OnnxRuntime,
                Runtime::OpenVino => BackendChoice::OpenVino,
            },
            provider: None,
            precision: self.precision(),
            model: Some(model.to_owned()),
            quantized,
            worst_psnr_db,
        }
    }

    /// Opens it for the network `model`, with everything else as `options` say.
    pub(super) fn open(
        self,
        model: &Path,
        options: &BackendOptions,
    ) -> Result<Opened, SelectError> {
        let options = BackendOptions { precision: self.precision(), ..options.clone() };
        match self.runtime {
            Runtime::OnnxRuntime => onnxruntime(model, ProviderChoice::Cpu, &options),
            Runtime::OpenVino => openvino::open(model, &options),
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.runtime {
            Runtime::OnnxRuntime => "onnxruntime ",
            Runtime::OpenVino => "openvino ",
        })?;
        f.write_str(match self.computed {
            Computed::Fp32 => "fp32",
            Computed::Bf16 => "bf16",
            Computed::Int8 => "int8",
        })
    }
}
