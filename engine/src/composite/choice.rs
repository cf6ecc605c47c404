//! Which kernels and which interpolation.

use std::fmt;
use std::str::FromStr;

use super::UnknownName;
#[cfg(target_arch = "x86_64")]
use super::cpu::{Avx2, Avx512};

/// Which kernels the user asks for. All give the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CompositorChoice {
    /// The fastest that this CPU can run, never OpenCV; or the GPU that runs the network, where that is
    /// [faster](crate::pipeline::Stages::place_compositing).
    #[default]
    Auto,
    /// The fastest that this CPU can run. Never OpenCV.
    Cpu,
    /// Plain Rust, for any CPU.
    Scalar,
    /// AVX2.
    Avx2,
    /// AVX-512 with byte permutes (F, BW, VBMI): Intel since Ice Lake, AMD since Zen 4.
    Avx512,
    /// `cv::resize`, the reference. Needs the cargo feature `opencv`.
    OpenCv,
    /// The GPU that runs the network, which then sends patches instead of predictions. The backend
    /// has to be [told](crate::backend::Backend::composite_on_device).
    Cuda,
}

impl fmt::Display for CompositorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::OpenCv => "opencv",
            Self::Cuda => "cuda",
        })
    }
}

impl FromStr for CompositorChoice {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, UnknownName> {
        match word {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "scalar" => Ok(Self::Scalar),
            "avx2" => Ok(Self::Avx2),
            "avx512" => Ok(Self::Avx512),
            "opencv" => Ok(Self::OpenCv),
            "cuda" => Ok(Self::Cuda),
            _ => Err(UnknownName {
                setting: "compositor",
                found: word.to_owned(),
                expected: "auto, cpu, scalar, avx2, avx512, opencv, cuda",
            }),
        }
    }
}

/// Which kernels run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KernelLevel {
    /// Plain Rust.
    Scalar,
    /// AVX2.
    Avx2,
    /// AVX-512 with byte permutes.
    Avx512,
    /// `cv::resize`.
    OpenCv,
    /// The GPU that runs the network.
    Cuda,
}

impl KernelLevel {
    /// What this CPU and this build offer: the CPU's levels from slowest to fastest, then
    /// [`Self::OpenCv`].
    pub fn available() -> Vec<Self> {
        [Self::Scalar, Self::Avx2, Self::Avx512, Self::OpenCv]
            .into_iter()
            .filter(|level| level.is_available())
            .collect()
    }

    /// The fastest of the CPU's levels: what `auto` takes for linear interpolation.
    pub fn fastest() -> Self {
        let vector = [Self::Avx512, Self::Avx2];
        vector.into_iter().find(|level| level.is_available()).unwrap_or(Self::Scalar)
    }

    /// Whether this CPU and this build offer the level; the GPU's is the backend's to offer.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
            Self::OpenCv => cfg!(feature = "opencv"),
            Self::Cuda => false,
        }
    }
}

impl fmt::Display for KernelLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::OpenCv => "opencv",
            Self::Cuda => "cuda",
        })
    }
}

/// How the crop is resized to the rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The bytes of OpenCV's `INTER_LINEAR`.
    #[default]
    Linear,
    /// The bytes of OpenCV's `INTER_CUBIC` (as built for baseline x86-64), which the original
    /// training code uses. Has no AVX2 or AVX-512 kernel: [`CompositorChoice::Auto`] takes the
    /// scalar one.
    Cubic,
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linear => "linear",
            Self::Cubic => "cubic",
        })
    }
}

impl FromStr for Interpolation {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, UnknownName> {
        match word {
            "linear" => Ok(Self::Linear),
            "cubic" => Ok(Self::Cubic),
            _ => Err(UnknownName {
                setting: "interpolation",
                found: word.to_owned(),
                expected: "linear, cubic",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_round_trip() {
        for name in ["auto", "cpu", "scalar", "avx2", "avx512", "opencv", "cuda"] {
            assert_eq!(name.parse::<CompositorChoice>().unwrap().to_string(), name);
        }
        for name in ["linear", "cubic"] {
            assert_eq!(name.parse::<Interpolation>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert_eq!(
            "AVX2".parse::<CompositorChoice>().unwrap_err().to_string(),
            "unknown compositor \"AVX2\", expected one of: auto, cpu, scalar, avx2, avx512, opencv, cuda"
        );
        assert_eq!(
            "area".parse::<Interpolation>().unwrap_err().to_string(),
            "unknown interpolation \"area\", expected one of: linear, cubic"
        );
    }

    #[test]
    fn scalar_is_always_available() {
        assert_eq!(KernelLevel::available()[0], KernelLevel::Scalar);
    }
}
