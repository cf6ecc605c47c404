//! What a network is to be computed in, and which backends can.

use std::fmt;
use std::str::FromStr;

use super::{BackendChoice, BackendOptions, SelectError};
use crate::onnx::precision::Precision;

/// What a network is computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// 32-bit floats; a quantized network as it is. On a processor, whichever is fastest of those that
    /// are near enough ([`BackendOptions::min_psnr_db`]).
    #[default]
    Auto,
    /// 32-bit floats.
    Fp32,
    /// 16-bit floats of IEEE 754.
    Fp16,
    /// 16-bit floats with the range of 32-bit ones.
    Bf16,
    /// 8-bit integers, for a network that is quantized.
    Int8,
}

impl PrecisionChoice {
    /// All of them, as in `--precision`.
    pub const ALL: [(&'static str, Self); 5] = [
        ("auto", Self::Auto),
        ("fp32", Self::Fp32),
        ("fp16", Self::Fp16),
        ("bf16", Self::Bf16),
        ("int8", Self::Int8),
    ];

    /// As in `--precision`.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision \"{found}\"; expected auto, fp32, fp16, bf16 or int8")]
pub struct UnknownPrecisionChoice {
    /// The name.
    pub found: String,
}

impl FromStr for PrecisionChoice {
    type Err = UnknownPrecisionChoice;

    /// Takes f32 and f16, too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = match text {
            "f32" => "fp32",
            "f16" => "fp16",
            _ => text,
        };
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, choice)| choice).ok_or_else(|| UnknownPrecisionChoice { found: text.into() })
    }
}

impl BackendOptions {
    /// What TensorRT makes an engine for. A quantized network computes in integers with either.
    pub(super) fn tensorrt_precision(&self) -> Result<Precision, SelectError> {
        match self.precision {
            PrecisionChoice::Auto | PrecisionChoice::Fp32 => Ok(Precision::Fp32),
            PrecisionChoice::Fp16 => Ok(Precision::Fp16),
            PrecisionChoice::Bf16 | PrecisionChoice::Int8 => {
                Err(self.unfit("tensorrt", "auto, fp32 or fp16"))
            }
        }
    }

    /// Refuses what ONNX Runtime cannot be asked for: it computes in what the network says.
    pub(super) fn check_onnxruntime_precision(&self) -> Result<(), SelectError> {
        match self.precision {
            PrecisionChoice::Auto | PrecisionChoice::Fp32 | PrecisionChoice::Int8 => Ok(()),
            PrecisionChoice::Fp16 | PrecisionChoice::Bf16 => {
                Err(self.unfit("onnxruntime", "auto or fp32, or int8 for a quantized network"))
            }
        }
    }

    /// Refuses everything but auto: nothing is computed.
    pub(super) fn check_simulated_precision(&self) -> Result<(), SelectError> {
        match self.precision {
            PrecisionChoice::Auto => Ok(()),
            _ => Err(self.unfit("simulated", "auto, since nothing is computed")),
        }
    }

    /// Refuses what no backend is taken for on a processor without being named.
    pub(super) fn check_cpu_precision(&self) -> Result<(), SelectError> {
        match self.precision {
            PrecisionChoice::Fp16 => Err(self.unfit(
                "auto where no GPU runs the network",
                "another one, or --backend openvino where the CPU computes in it",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses streams where no backend has them.
    pub(super) fn check_streams(&self) -> Result<(), SelectError> {
        match self.backend {
            BackendChoice::Auto | BackendChoice::OpenVino => Ok(()),
            _ if matches!(self.openvino.streams, None | Some(1)) => Ok(()),
            backend => {
                Err(SelectError::OpenVinoOption { option: "--streams", backend: backend.name() })
            }
        }
    }

    /// Refuses what no backend is taken for without being named.
    pub(super) fn check_auto_precision(&self) -> Result<(), SelectError> {
        match self.precision {
            PrecisionChoice::Bf16 => {
                Err(self.unfit("auto", "another one, or --backend openvino, which computes in it"))
            }
            _ => Ok(()),
        }
    }

    fn unfit(&self, backend: &'static str, possible: &'static str) -> SelectError {
        SelectError::Precision { precision: self.precision, backend, possible }
    }
}

/// What is said where a quantized network was to run in 32-bit floats.
pub(super) fn quantized_remark(quantized: bool, precision: PrecisionChoice) -> Option<String> {
    (quantized && precision == PrecisionChoice::Fp32).then(|| {
        "precision   the network is quantized: what it computes in integers stays so with fp32"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_read_and_printed() {
        for (name, choice) in PrecisionChoice::ALL {
            assert_eq!((name.parse(), choice.to_string()), (Ok(choice), name.to_owned()));
        }
        assert_eq!("f32".parse(), Ok(PrecisionChoice::Fp32));
        assert_eq!("f16".parse(), Ok(PrecisionChoice::Fp16));
        let error = "half".parse::<PrecisionChoice>().unwrap_err().to_string();
        assert_eq!(error, "unknown precision \"half\"; expected auto, fp32, fp16, bf16 or int8");
    }

    #[test]
    fn each_backend_refuses_what_it_has_not() {
        let options = |precision| BackendOptions { precision, ..BackendOptions::default() };
        let refusals = |check: fn(&BackendOptions) -> Result<(), SelectError>| {
            let all = PrecisionChoice::ALL.into_iter();
            all.filter(|&(_, choice)| check(&options(choice)).is_err())
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(refusals(|o| o.tensorrt_precision().map(drop)), ["bf16", "int8"]);
        assert_eq!(refusals(BackendOptions::check_onnxruntime_precision), ["fp16", "bf16"]);
        assert_eq!(refusals(BackendOptions::check_auto_precision), ["bf16"]);
        assert_eq!(refusals(BackendOptions::check_cpu_precision), ["fp16"]);
        let simulated = BackendOptions::check_simulated_precision;
        assert_eq!(refusals(simulated), ["fp32", "fp16", "bf16", "int8"]);
        let error = options(PrecisionChoice::Int8).tensorrt_precision().unwrap_err().to_string();
        let expected =
            "--precision int8 is not for --backend tensorrt; expected auto, fp32 or fp16";
        assert_eq!(error, expected);
    }
}
