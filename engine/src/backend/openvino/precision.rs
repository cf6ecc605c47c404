//! What a network is computed in, and whether this processor can.

use std::fmt;

use super::OpenVinoCpu;

/// What a network is computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenVinoPrecision {
    /// 32-bit floats, also where the processor would be faster with others.
    #[default]
    Fp32,
    /// 16-bit floats of IEEE 754.
    Fp16,
    /// 16-bit floats with the range of 32-bit ones.
    Bf16,
    /// 8-bit integers where the network says so, which a quantized one does; the rest in fp32, since
    /// what a quantized network keeps in floats is what needs their precision.
    Int8,
}

impl OpenVinoPrecision {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fp32, Self::Fp16, Self::Bf16, Self::Int8];

    /// As in `--precision`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Whether `cpu` computes in it at speed.
    pub fn runs_on(self, cpu: &OpenVinoCpu) -> bool {
        match self {
            Self::Fp32 => true,
            // OpenVINO also offers what it emulates, slower than 32-bit floats.
            Self::Fp16 => cpu.offers("FP16") && instructions::fp16(),
            Self::Bf16 => cpu.offers("BF16") && instructions::bf16(),
            Self::Int8 => cpu.offers("INT8"),
        }
    }

    /// OpenVINO's name of the type of floats that are computed with.
    pub(super) const fn float_type(self) -> &'static str {
        match self {
            Self::Fp32 | Self::Int8 => "f32",
            Self::Fp16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// What the backend says it computes with.
    pub(super) const fn provider(self) -> &'static str {
        match self {
            Self::Fp32 => "CPU fp32",
            Self::Fp16 => "CPU fp16",
            Self::Bf16 => "CPU bf16",
            Self::Int8 => "CPU int8",
        }
    }
}

impl fmt::Display for OpenVinoPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What this processor has instructions for.
#[cfg(target_arch = "x86_64")]
mod instructions {
    pub(super) fn bf16() -> bool {
        std::is_x86_feature_detected!("avx512bf16") || std::is_x86_feature_detected!("avxneconvert")
    }

    pub(super) fn fp16() -> bool {
        std::is_x86_feature_detected!("avx512fp16")
    }
}

/// Elsewhere OpenVINO offers what there are instructions for.
#[cfg(not(target_arch = "x86_64"))]
mod instructions {
    pub(super) fn bf16() -> bool {
        true
    }

    pub(super) fn fp16() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_offered_does_not_run() {
        let cpu = |capabilities: &str| OpenVinoCpu::new("a CPU".into(), capabilities);
        let plain = cpu("FP32 INT8 BIN EXPORT_IMPORT");
        let runs = |precision: &OpenVinoPrecision| precision.runs_on(&plain);
        let names: Vec<_> = OpenVinoPrecision::ALL.into_iter().filter(runs).collect();
        assert_eq!(names, [OpenVinoPrecision::Fp32, OpenVinoPrecision::Int8]);
        assert!(!OpenVinoPrecision::Int8.runs_on(&cpu("FP32")));
        let rich = cpu("FP32 BF16 INT8");
        assert_eq!(OpenVinoPrecision::Bf16.runs_on(&rich), instructions::bf16());
    }
}
