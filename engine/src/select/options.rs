//! What can be asked for.

use std::path::{Path, PathBuf};

use engine_sys::Flavour;

use super::{PrecisionChoice, SelectError, is_engine};
use crate::backend::{DevicePlan, OnnxRuntimeOptions, find_onnxruntime};
use crate::dataset::{Inputs, Package};
use crate::file::cache_folder;
use crate::pipeline::DEFAULT_BATCH;
use crate::quality::DEFAULT_MIN_PSNR_DB;

/// What runs the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendChoice {
    /// The best that is usable here: TensorRT, ONNX Runtime on a GPU, ONNX Runtime on the CPU.
    #[default]
    Auto,
    /// TensorRT on an NVIDIA GPU.
    TensorRt,
    /// ONNX Runtime.
    OnnxRuntime,
    /// OpenVINO on the processor.
    OpenVino,
    /// A stand-in for an accelerator: fixed time per frame, fixed predictions, CPU left free.
    Simulated,
}

impl BackendChoice {
    /// All of them, as in `--backend`.
    pub const ALL: [(&'static str, Self); 5] = [
        ("auto", Self::Auto),
        ("tensorrt", Self::TensorRt),
        ("onnxruntime", Self::OnnxRuntime),
        ("openvino", Self::OpenVino),
        ("simulated", Self::Simulated),
    ];

    /// As in `--backend`.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, choice)| choice)
    }
}

/// Where ONNX Runtime computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderChoice {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
}

impl ProviderChoice {
    /// As in `--provider`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Cpu, Self::Cuda].into_iter().find(|choice| choice.name() == name)
    }
}

/// Which backend is wanted, and how it is to run.
#[derive(Clone, Debug)]
pub struct BackendOptions {
    /// What runs the network.
    pub backend: BackendChoice,
    /// Time per frame of the simulated backend, in milliseconds.
    pub simulated_ms: f64,
    /// The ONNX Runtime library; `None` looks where [`find_onnxruntime`] does.
    pub onnxruntime_library: Option<PathBuf>,
    /// Where ONNX Runtime computes; `None` is the processor, and with [`BackendChoice::Auto`]
    /// wherever it can.
    pub provider: Option<ProviderChoice>,
    /// The GPU, counted from 0.
    pub device: usize,
    /// CPU threads that run the network; `None` is one a core, and 1 where a GPU computes.
    pub threads: Option<usize>,
    /// What the network is computed in.
    pub precision: PrecisionChoice,
    /// Signal-to-noise ratio in dB that the worst frame must have, inside its rectangle and against
    /// full precision, for a precision that nobody named to be taken, or for any to be kept in a
    /// profile.
    pub min_psnr_db: f64,
    /// Where it is kept what was decided by measuring; `None` where no such folder is known.
    pub decisions: Option<PathBuf>,
    /// The largest batch that will be run, for an engine that is made here and for the lanes of a GPU.
    pub largest_batch: usize,
    /// How a GPU is used, whatever runs the network there.
    pub gpu: GpuSettings,
    /// How TensorRT runs.
    pub tensorrt: TensorRtSettings,
    /// How OpenVINO runs.
    pub openvino: OpenVinoSettings,
}

/// How OpenVINO runs.
#[derive(Clone, Debug, Default)]
pub struct OpenVinoSettings {
    /// The library or its folder; `None` looks where [`engine_sys::search::find_openvino`] does.
    pub library: Option<PathBuf>,
    /// Frames that are computed at one time, each with its part of the threads; `None` takes
    /// [`Self::usual_streams`].
    pub streams: Option<usize>,
}

impl OpenVinoSettings {
    /// As many as share `threads` evenly, and no more than the usual batch has frames. Threads that
    /// compute a frame together wait for each other after each layer, longest for one that another
    /// program holds up; those with a frame of their own do not. Where a stream has fewer threads
    /// than another, OpenVINO leaves the rest idle.
    pub fn usual_streams(threads: usize) -> usize {
        (1..=DEFAULT_BATCH).rev().find(|&streams| threads.is_multiple_of(streams)).unwrap_or(1)
    }
}

impl Default for BackendOptions {
    fn default() -> Self {
        Self {
            backend: BackendChoice::Auto,
            simulated_ms: 8.18,
            onnxruntime_library: None,
            provider: None,
            device: 0,
            threads: None,
            precision: PrecisionChoice::Auto,
            min_psnr_db: DEFAULT_MIN_PSNR_DB,
            decisions: cache_folder().map(|folder| folder.join("decisions")),
            largest_batch: 1,
            gpu: GpuSettings::default(),
            tensorrt: TensorRtSettings::default(),
            openvino: OpenVinoSettings::default(),
        }
    }
}

/// How a GPU is used by TensorRT and by ONNX Runtime's CUDA provider.
#[derive(Clone, Debug)]
pub struct GpuSettings {
    /// Batches that are on the GPU at one time.
    pub lanes: usize,
    /// The folder where compiled kernels are kept; `None` where no such folder is known.
    pub kernels: Option<PathBuf>,
    /// Bytes of the GPU's memory that the package's frames may take where the GPU composites; `None`
    /// is a quarter of it.
    pub region_budget: Option<u64>,
}

impl Default for GpuSettings {
    fn default() -> Self {
        Self { lanes: 2, kernels: cache_folder(), region_budget: None }
    }
}

impl GpuSettings {
    /// What a backend has to know to composite frames of `package`.
    pub fn device_plan<'a>(&'a self, package: &'a Package) -> DevicePlan<'a> {
        DevicePlan {
            rects: package.rects(),
            stored: package.inputs() == Inputs::Package,
            budget: self.region_budget,
            cache: self.kernels.as_deref(),
        }
    }
}

/// How TensorRT runs.
#[derive(Clone, Debug)]
pub struct TensorRtSettings {
    /// The folder with the libraries; `None` looks where [`engine_sys::search::find`] does.
    pub library_folder: Option<PathBuf>,
    /// Which TensorRT; `None` takes the first that is usable.
    pub flavour: Option<Flavour>,
    /// Whether the network is replayed as a CUDA graph.
    pub graphs: bool,
    /// Where engines that are made here are kept; `None` where no such folder is known.
    pub cache: Option<PathBuf>,
    /// Whether an engine may bring code that runs in this process, as version-compatible ones do.
    pub host_code: bool,
    /// Whether an engine is compared with its network when a GPU loads it for the first time.
    pub verify: bool,
}

impl Default for TensorRtSettings {
    fn default() -> Self {
        Self {
            library_folder: None,
            flavour: None,
            graphs: true,
            cache: cache_folder().map(|folder| folder.join("engines")),
            host_code: false,
            verify: true,
        }
    }
}

impl BackendOptions {
    /// Whether something else may run `model` where TensorRT's engine of it is not to be used.
    pub(super) fn may_choose(&self, model: &Path) -> bool {
        // Nothing else computes in half precision.
        let other = self.precision != PrecisionChoice::Fp16;
        self.backend == BackendChoice::Auto && other && !is_engine(model)
    }

    /// How ONNX Runtime is to run, with `usual` threads where none were named.
    ///
    /// # Errors
    /// When its library is not found.
    pub fn onnxruntime(&self, usual: usize) -> Result<OnnxRuntimeOptions, SelectError> {
        let library = find_onnxruntime(self.onnxruntime_library.as_deref())
            .map_err(crate::backend::BackendError::from)?;
        Ok(OnnxRuntimeOptions { library, threads: self.threads.unwrap_or(usual) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_have_names() {
        for (name, choice) in BackendChoice::ALL {
            assert_eq!((BackendChoice::named(name), choice.name()), (Some(choice), name));
        }
        assert_eq!(BackendChoice::named("gpu"), None);
    }

    #[test]
    fn streams_share_the_threads_evenly() {
        let usual = OpenVinoSettings::usual_streams;
        let found = [1, 2, 3, 4, 5, 6, 7, 8, 10, 64].map(usual);
        assert_eq!(found, [1, 2, 3, 4, 1, 3, 1, 4, 2, 4]);
    }
}
