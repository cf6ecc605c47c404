//! Which network runs where.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use engine::quality::{DEFAULT_MIN_PSNR_DB, MAX_MIN_PSNR_DB};
use engine::select::{
    self, BackendOptions, GpuSettings, OpenVinoSettings, PrecisionChoice, TensorRtSettings,
};
use engine_sys::Flavour;

use super::{bytes, within};

/// Which network runs where.
#[derive(Args, Clone)]
pub(crate) struct BackendArgs {
    /// The network, an ONNX file or an engine [default: the one in the package].
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// What runs the network.
    #[arg(long, value_enum, default_value_t = BackendChoice::Auto)]
    pub(crate) backend: BackendChoice,
    /// Time per frame of the simulated backend, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 8.18, value_parser = milliseconds)]
    pub(crate) simulated_ms: f64,
    /// The ONNX Runtime library [default: $ORT_DYLIB_PATH, else what scripts/setup installed].
    #[arg(long, value_name = "FILE")]
    pub(crate) ort_lib: Option<PathBuf>,
    /// Where ONNX Runtime computes [default: on the processor; with --backend auto wherever it can].
    #[arg(long, value_enum)]
    pub(crate) provider: Option<ProviderChoice>,
    #[command(flatten)]
    pub(crate) gpu: GpuArgs,
    /// What the network is computed in. auto: on a CPU what a short measurement finds fastest of
    /// what is near enough (--min-psnr), elsewhere fp32, and a quantized network as it is. TensorRT takes
    /// fp32 and fp16 (an engine keeps what it was converted to); OpenVINO fp32, bf16 or fp16 where
    /// the CPU has it, and int8 for a quantized network; ONNX Runtime what the network says.
    #[arg(long, default_value = "auto", value_name = "auto|fp32|fp16|bf16|int8")]
    pub(crate) precision: PrecisionChoice,
    /// Signal-to-noise ratio in dB that the worst frame must have inside its rectangle, against full
    /// precision. With --precision auto nothing is taken that is below.
    #[arg(long, value_name = "DB", default_value_t = DEFAULT_MIN_PSNR_DB, value_parser = decibels)]
    pub(crate) min_psnr: f64,
    #[command(flatten)]
    pub(crate) tensorrt: TensorRtArgs,
    #[command(flatten)]
    pub(crate) openvino: OpenVinoArgs,
    /// CPU threads that run the network [default: one a core; with --provider cuda 1].
    #[arg(long, value_name = "N", value_parser = within::<u16>(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// How TensorRT and ONNX Runtime use a GPU.
#[derive(Args, Clone)]
pub(crate) struct GpuArgs {
    /// The GPU, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within::<u8>(0..=63))]
    pub(crate) device: u8,
    /// Batches that are on the GPU at one time [default: 2].
    #[arg(long, value_name = "N", value_parser = within::<u8>(1..=8))]
    pub(crate) lanes: Option<u8>,
    /// With --compositor cuda: GPU memory that the package's frames may take [default: a quarter].
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) region_budget: Option<u64>,
}

/// How TensorRT runs.
#[derive(Args, Clone)]
pub(crate) struct TensorRtArgs {
    /// The folder with the TensorRT libraries [default: $TENSORRT_LIB_DIR, else the usual places].
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorrt_lib: Option<PathBuf>,
    /// Which TensorRT runs the engine. auto: the first that takes it.
    #[arg(long, default_value = "auto", value_name = "auto|rtx|11|10")]
    pub(crate) flavour: FlavourChoice,
    /// Launch the network kernel by kernel instead of as a CUDA graph.
    #[arg(long)]
    pub(crate) no_graphs: bool,
    /// Let an engine run code that it brings, as version-compatible ones do: only for engines that
    /// you would run as a program.
    #[arg(long)]
    pub(crate) trust_engine: bool,
    /// Run an engine that was not compared with its network, or is too far from it.
    #[arg(long)]
    pub(crate) unverified: bool,
}

/// How OpenVINO runs.
#[derive(Args, Clone)]
pub(crate) struct OpenVinoArgs {
    /// The OpenVINO library (libopenvino_c.so) or its folder [default: $OPENVINO_DYLIB_PATH, else what
    /// scripts/setup installed].
    #[arg(long, value_name = "FILE")]
    pub(crate) openvino_lib: Option<PathBuf>,
    /// Frames that OpenVINO computes at one time where it runs the network, each with its part of
    /// --threads [default: as many as share the threads evenly, 4 at most].
    #[arg(long, value_name = "N", value_parser = within::<u16>(1..=1024))]
    pub(crate) streams: Option<u16>,
}

/// `--flavour`: `None` takes the first that is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlavourChoice(pub(crate) Option<Flavour>);

impl FromStr for FlavourChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|flavour| Self(Some(flavour)))
                .map_err(|_| "expected auto, rtx, 11 or 10".to_owned()),
        }
    }
}

/// What runs the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendChoice {
    /// The best that is usable here: TensorRT, ONNX Runtime on a GPU, and on the CPU what a short
    /// measurement finds, ONNX Runtime or OpenVINO.
    Auto,
    /// TensorRT on an NVIDIA GPU: an engine, or an ONNX file, of which an engine is made and kept.
    Tensorrt,
    /// ONNX Runtime, on the CPU unless --provider says otherwise.
    Onnxruntime,
    /// OpenVINO on the CPU.
    Openvino,
    /// A stand-in for an accelerator: fixed time per frame, fixed predictions, CPU left free.
    Simulated,
}

impl From<BackendChoice> for select::BackendChoice {
    fn from(choice: BackendChoice) -> Self {
        match choice {
            BackendChoice::Auto => Self::Auto,
            BackendChoice::Tensorrt => Self::TensorRt,
            BackendChoice::Onnxruntime => Self::OnnxRuntime,
            BackendChoice::Openvino => Self::OpenVino,
            BackendChoice::Simulated => Self::Simulated,
        }
    }
}

/// Where ONNX Runtime computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderChoice {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU; needs the library of the onnxruntime-gpu package.
    Cuda,
}

impl BackendArgs {
    /// The option that says what runs the network, or how, where one was given.
    pub(crate) fn named(&self) -> Option<&'static str> {
        let Self { backend, provider, precision, threads, openvino, .. } = self;
        let given = [
            ("--backend", *backend != BackendChoice::Auto),
            ("--provider", provider.is_some()),
            ("--precision", *precision != PrecisionChoice::Auto),
            ("--threads", threads.is_some()),
            ("--streams", openvino.streams.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// Refuses options that the backend does not have, where one was named.
    pub(crate) fn check(&self) -> Result<()> {
        use BackendChoice::{Auto, Onnxruntime, Openvino, Tensorrt};

        let Self { gpu, tensorrt, openvino, .. } = self;
        // Whoever names a provider means ONNX Runtime.
        let backend = match (self.backend, self.provider) {
            (Auto, Some(_)) => Onnxruntime,
            (backend, _) => backend,
        };
        let cuda = self.provider == Some(ProviderChoice::Cuda);
        let with_tensorrt = (backend == Tensorrt, "--backend tensorrt");
        let with_onnxruntime = (backend == Onnxruntime, "--backend onnxruntime");
        let with_openvino = (backend == Openvino, "--backend openvino");
        let on_gpu = (
            backend == Tensorrt || backend == Onnxruntime && cuda,
            "--backend tensorrt, or --backend onnxruntime --provider cuda",
        );
        let given = [
            ("--tensorrt-lib", tensorrt.tensorrt_lib.is_some(), with_tensorrt),
            ("--flavour", tensorrt.flavour.0.is_some(), with_tensorrt),
            ("--no-graphs", tensorrt.no_graphs, with_tensorrt),
            ("--trust-engine", tensorrt.trust_engine, with_tensorrt),
            ("--unverified", tensorrt.unverified, with_tensorrt),
            ("--device", gpu.device > 0, on_gpu),
            ("--lanes", gpu.lanes.is_some(), on_gpu),
            ("--region-budget", gpu.region_budget.is_some(), on_gpu),
            ("--provider", self.provider.is_some(), with_onnxruntime),
            ("--openvino-lib", openvino.openvino_lib.is_some(), with_openvino),
        ];
        let vain = given.into_iter().find(|(_, given, (taken, _))| *given && !taken);
        if let (Some((option, _, (_, takers))), true) = (vain, backend != Auto) {
            let backend = select::BackendChoice::from(backend).name();
            let place = if with_onnxruntime.0 && !cuda { " on the CPU" } else { "" };
            bail!("{option} is for {takers}, and not for --backend {backend}{place}; leave it out");
        }
        Ok(())
    }

    /// As the engine takes them, to run batches of up to `largest_batch` frames.
    pub(crate) fn options(&self, largest_batch: usize) -> BackendOptions {
        let TensorRtArgs { tensorrt_lib, flavour, .. } = &self.tensorrt;
        let usual = GpuSettings::default();
        BackendOptions {
            backend: self.backend.into(),
            simulated_ms: self.simulated_ms,
            onnxruntime_library: self.ort_lib.clone(),
            provider: self.provider.map(|provider| match provider {
                ProviderChoice::Cpu => select::ProviderChoice::Cpu,
                ProviderChoice::Cuda => select::ProviderChoice::Cuda,
            }),
            device: usize::from(self.gpu.device),
            threads: self.threads.map(usize::from),
            precision: self.precision,
            min_psnr_db: self.min_psnr,
            largest_batch,
            gpu: GpuSettings {
                lanes: self.gpu.lanes.map_or(usual.lanes, usize::from),
                region_budget: self.gpu.region_budget,
                ..usual
            },
            tensorrt: TensorRtSettings {
                library_folder: tensorrt_lib.clone(),
                flavour: flavour.0,
                graphs: !self.tensorrt.no_graphs,
                host_code: self.tensorrt.trust_engine,
                verify: !self.tensorrt.unverified,
                ..TensorRtSettings::default()
            },
            openvino: OpenVinoSettings {
                library: self.openvino.openvino_lib.clone(),
                streams: self.openvino.streams.map(usize::from),
            },
            ..BackendOptions::default()
        }
    }
}

pub(super) fn decibels(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(db) if (0.0..=MAX_MIN_PSNR_DB).contains(&db) => Ok(db),
        _ => Err(format!("expected decibels, 0 to {MAX_MIN_PSNR_DB}")),
    }
}

fn milliseconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ms) if ms > 0.0 && ms <= 60_000.0 => Ok(ms),
        _ => Err("expected milliseconds above 0, at most 60000".to_owned()),
    }
}
