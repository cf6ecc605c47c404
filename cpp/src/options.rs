//! What a host can ask for.

use std::ffi::CStr;
use std::path::PathBuf;

use engine::composite::{CompositorChoice, Interpolation};
use engine::dataset::{Inputs, StoreMode};
use engine::pipeline::{MAX_BATCH, MAX_WORKERS, Mode};
use engine::profile::ProfileChoice;
use engine::select::{
    BackendChoice, BackendOptions, GpuSettings, OpenVinoSettings, PrecisionChoice, ProviderChoice,
    TensorRtSettings,
};

use crate::abi::{EngineOptions, VERSION};
use crate::error::{Code, Error};

/// The options of a pipeline, checked.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) model: Option<PathBuf>,
    pub(crate) backend: BackendOptions,
    pub(crate) mode: Mode,
    pub(crate) profile: ProfileChoice,
    /// An option that says what runs the network, or how, where one is given.
    pub(crate) named: Option<&'static str>,
    /// `None` is what the profile says, else 4.
    pub(crate) batch: Option<usize>,
    /// `None` is what the profile says, else the smaller of batch and cores.
    pub(crate) workers: Option<usize>,
    pub(crate) inputs: Inputs,
    pub(crate) frame_store: StoreMode,
    pub(crate) ram_budget: u64,
    pub(crate) compositor: CompositorChoice,
    pub(crate) interpolation: Interpolation,
    pub(crate) queued_frames: usize,
    pub(crate) held_frames: usize,
    pub(crate) pushed_rows: usize,
}

/// What ENGINE_OPTIONS_INIT writes.
pub(crate) const DEFAULTS: EngineOptions = EngineOptions {
    version: VERSION,
    backend: 0,
    model: std::ptr::null(),
    simulated_ms: 8.18,
    onnxruntime_library: std::ptr::null(),
    provider: 0,
    device: 0,
    threads: 0,
    lanes: 2,
    tensorrt_folder: std::ptr::null(),
    profile: std::ptr::null(),
    openvino_library: std::ptr::null(),
    streams: 0,
    cuda_graphs: 1,
    precision: 0,
    trust_engine: 0,
    mode: 0,
    batch: 0,
    workers: 0,
    inputs: 0,
    frame_store: 0,
    ram_budget: 1 << 30,
    region_budget: 0,
    compositor: 0,
    interpolation: 0,
    queued_frames: 4,
    held_frames: 8,
    pushed_rows: 1024,
    reserved: 0,
};

/// The paths among the options, already read.
pub(crate) struct Paths<'a> {
    pub(crate) model: Option<&'a CStr>,
    pub(crate) onnxruntime_library: Option<&'a CStr>,
    pub(crate) tensorrt_folder: Option<&'a CStr>,
    pub(crate) profile: Option<&'a CStr>,
    pub(crate) openvino_library: Option<&'a CStr>,
}

impl Options {
    /// Checks every value; the pointers in `raw` are left alone.
    pub(crate) fn check(raw: &EngineOptions, paths: &Paths<'_>) -> Result<Self, Error> {
        if raw.reserved != 0 {
            return Err(out_of_range("reserved", raw.reserved, "0"));
        }
        let batch = positive(count("batch", raw.batch, 0, MAX_BATCH)?);
        let given = [
            ("backend", raw.backend != 0),
            ("provider", raw.provider != 0),
            ("precision", raw.precision != 0),
            ("threads", raw.threads > 0),
            ("streams", raw.streams > 0),
        ];
        let named = given.into_iter().find(|(_, given)| *given).map(|(name, _)| name);
        let backend = BackendOptions {
            backend: choice(
                "backend",
                raw.backend,
                [
                    BackendChoice::Auto,
                    BackendChoice::TensorRt,
                    BackendChoice::OnnxRuntime,
                    BackendChoice::Simulated,
                    BackendChoice::OpenVino,
                ],
            )?,
            simulated_ms: match raw.simulated_ms {
                ms if (0.0..=60_000.0).contains(&ms) => ms,
                ms => return Err(out_of_range("simulated_ms", ms, "0 to 60000")),
            },
            onnxruntime_library: paths.onnxruntime_library.map(path).transpose()?,
            provider: choice(
                "provider",
                raw.provider,
                [None, Some(ProviderChoice::Cpu), Some(ProviderChoice::Cuda)],
            )?,
            device: match usize::try_from(raw.device) {
                Ok(device @ 0..=63) => device,
                _ => return Err(out_of_range("device", raw.device, "0 to 63")),
            },
            threads: positive(count("threads", raw.threads, 0, 1024)?),
            precision: choice(
                "precision",
                raw.precision,
                PrecisionChoice::ALL.map(|(_, choice)| choice),
            )?,
            gpu: GpuSettings {
                lanes: count("lanes", raw.lanes, 1, 8)?,
                region_budget: (raw.region_budget > 0).then_some(raw.region_budget),
                ..GpuSettings::default()
            },
            tensorrt: TensorRtSettings {
                library_folder: paths.tensorrt_folder.map(path).transpose()?,
                graphs: choice("cuda_graphs", raw.cuda_graphs, [false, true])?,
                host_code: choice("trust_engine", raw.trust_engine, [false, true])?,
                ..TensorRtSettings::default()
            },
            openvino: OpenVinoSettings {
                library: paths.openvino_library.map(path).transpose()?,
                streams: positive(count("streams", raw.streams, 0, 1024)?),
            },
            ..BackendOptions::default()
        };
        Ok(Self {
            model: paths.model.map(path).transpose()?,
            profile: match paths.profile {
                None => ProfileChoice::Kept,
                Some(text) if text == c"none" => ProfileChoice::None,
                Some(file) => ProfileChoice::File(path(file)?),
            },
            named,
            backend,
            mode: choice("mode", raw.mode, [Mode::Pipelined, Mode::Sequential])?,
            batch,
            workers: positive(count("workers", raw.workers, 0, MAX_WORKERS)?),
            inputs: choice("inputs", raw.inputs, [Inputs::Package, Inputs::Derived])?,
            frame_store: choice(
                "frame_store",
                raw.frame_store,
                [StoreMode::Auto, StoreMode::Ram, StoreMode::Stream],
            )?,
            ram_budget: raw.ram_budget,
            compositor: choice(
                "compositor",
                raw.compositor,
                [
                    CompositorChoice::Auto,
                    CompositorChoice::Scalar,
                    CompositorChoice::Avx2,
                    CompositorChoice::Avx512,
                    CompositorChoice::OpenCv,
                    CompositorChoice::Cuda,
                    CompositorChoice::Cpu,
                ],
            )?,
            interpolation: choice(
                "interpolation",
                raw.interpolation,
                [Interpolation::Linear, Interpolation::Cubic],
            )?,
            queued_frames: count("queued_frames", raw.queued_frames, 1, 256)?,
            held_frames: count("held_frames", raw.held_frames, 1, 256)?,
            pushed_rows: count("pushed_rows", raw.pushed_rows, 1, 1 << 20)?,
        })
    }
}

/// A path as the system takes it.
pub(crate) fn path(text: &CStr) -> Result<PathBuf, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(std::ffi::OsStr::from_bytes(text.to_bytes()).into())
    }
    #[cfg(not(unix))]
    {
        let utf8 = text.to_str().map(PathBuf::from);
        utf8.map_err(|_| Error::new(Code::InvalidArgument, "a path is not valid UTF-8"))
    }
}

fn out_of_range(field: &str, found: impl std::fmt::Display, expected: &str) -> Error {
    let message = format!("options: {field} is {found}; expected {expected}");
    Error::text(Code::InvalidArgument, message)
}

/// The value that a constant of the header stands for.
fn choice<T, const N: usize>(field: &str, found: i32, values: [T; N]) -> Result<T, Error> {
    let index = usize::try_from(found).ok();
    let value = index.and_then(|index| values.into_iter().nth(index));
    value.ok_or_else(|| out_of_range(field, found, &format!("0 to {}", N - 1)))
}

fn count(field: &str, found: u32, least: usize, most: usize) -> Result<usize, Error> {
    let count = usize::try_from(found).ok().filter(|count| (least..=most).contains(count));
    count.ok_or_else(|| out_of_range(field, found, &format!("{least} to {most}")))
}

/// 0 stands for a number that is chosen later.
fn positive(count: usize) -> Option<usize> {
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_PATHS: Paths<'_> = Paths {
        model: None,
        onnxruntime_library: None,
        tensorrt_folder: None,
        profile: None,
        openvino_library: None,
    };

    #[test]
    fn the_defaults_are_those_of_the_command_line() {
        let options = Options::check(&DEFAULTS, &NO_PATHS).unwrap();
        assert_eq!((options.batch, options.workers), (None, None));
        assert_eq!((options.profile, options.named), (ProfileChoice::Kept, None));
        assert_eq!((options.mode, options.inputs), (Mode::Pipelined, Inputs::Package));
        assert_eq!((options.frame_store, options.ram_budget), (StoreMode::Auto, 1 << 30));
        assert_eq!(options.backend.backend, BackendChoice::Auto);
        assert_eq!((options.backend.simulated_ms, options.backend.threads), (8.18, None));
        let (asked, default) = (&options.backend.tensorrt, TensorRtSettings::default());
        assert_eq!(asked.graphs, default.graphs);
        assert_eq!(options.backend.gpu.lanes, GpuSettings::default().lanes);
        assert_eq!(asked.cache, default.cache);
        assert_eq!(options.backend.precision, PrecisionChoice::Auto);
        assert_eq!(options.backend.openvino.streams, None);
        assert_eq!((asked.host_code, asked.verify), (false, true));
    }

    #[test]
    fn constants_mean_what_the_header_says() {
        let header = include_str!("../include/engine/engine.h");
        let check = |constant: &str, set: fn(&mut EngineOptions, i32), is: fn(&Options) -> bool| {
            let found = header.split_once(&format!("ENGINE_{constant} = ")).unwrap().1;
            let digits = found.find(|c: char| !c.is_ascii_digit()).unwrap();
            let mut raw = DEFAULTS;
            set(&mut raw, found[..digits].parse().unwrap());
            assert!(is(&Options::check(&raw, &NO_PATHS).unwrap()), "{constant}");
        };
        let backend = |raw: &mut EngineOptions, value| raw.backend = value;
        check("BACKEND_AUTO", backend, |o| o.backend.backend == BackendChoice::Auto);
        check("BACKEND_TENSORRT", backend, |o| o.backend.backend == BackendChoice::TensorRt);
        check("BACKEND_ONNXRUNTIME", backend, |o| o.backend.backend == BackendChoice::OnnxRuntime);
        check("BACKEND_SIMULATED", backend, |o| o.backend.backend == BackendChoice::Simulated);
        check("BACKEND_OPENVINO", backend, |o| o.backend.backend == BackendChoice::OpenVino);
        let provider = |raw: &mut EngineOptions, value| raw.provider = value;
        check("PROVIDER_DEFAULT", provider, |o| o.backend.provider.is_none());
        check("PROVIDER_CPU", provider, |o| o.backend.provider == Some(ProviderChoice::Cpu));
        check("PROVIDER_CUDA", provider, |o| o.backend.provider == Some(ProviderChoice::Cuda));
        let precision = |raw: &mut EngineOptions, value| raw.precision = value;
        check("PRECISION_AUTO", precision, |o| o.backend.precision == PrecisionChoice::Auto);
        check("PRECISION_FP32", precision, |o| o.backend.precision == PrecisionChoice::Fp32);
        check("PRECISION_FP16", precision, |o| o.backend.precision == PrecisionChoice::Fp16);
        check("PRECISION_BF16", precision, |o| o.backend.precision == PrecisionChoice::Bf16);
        check("PRECISION_INT8", precision, |o| o.backend.precision == PrecisionChoice::Int8);
        let mode = |raw: &mut EngineOptions, value| raw.mode = value;
        check("MODE_PIPELINED", mode, |o| o.mode == Mode::Pipelined);
        check("MODE_SEQUENTIAL", mode, |o| o.mode == Mode::Sequential);
        let inputs = |raw: &mut EngineOptions, value| raw.inputs = value;
        check("INPUTS_PACKAGE", inputs, |o| o.inputs == Inputs::Package);
        check("INPUTS_DERIVED", inputs, |o| o.inputs == Inputs::Derived);
        let store = |raw: &mut EngineOptions, value| raw.frame_store = value;
        check("STORE_AUTO", store, |o| o.frame_store == StoreMode::Auto);
        check("STORE_RAM", store, |o| o.frame_store == StoreMode::Ram);
        check("STORE_STREAM", store, |o| o.frame_store == StoreMode::Stream);
        let compositor = |raw: &mut EngineOptions, value| raw.compositor = value;
        check("COMPOSITOR_AUTO", compositor, |o| o.compositor == CompositorChoice::Auto);
        check("COMPOSITOR_SCALAR", compositor, |o| o.compositor == CompositorChoice::Scalar);
        check("COMPOSITOR_AVX2", compositor, |o| o.compositor == CompositorChoice::Avx2);
        check("COMPOSITOR_AVX512", compositor, |o| o.compositor == CompositorChoice::Avx512);
        check("COMPOSITOR_OPENCV", compositor, |o| o.compositor == CompositorChoice::OpenCv);
        check("COMPOSITOR_CUDA", compositor, |o| o.compositor == CompositorChoice::Cuda);
        check("COMPOSITOR_CPU", compositor, |o| o.compositor == CompositorChoice::Cpu);
        let interpolation = |raw: &mut EngineOptions, value| raw.interpolation = value;
        check("INTERPOLATION_LINEAR", interpolation, |o| o.interpolation == Interpolation::Linear);
        check("INTERPOLATION_CUBIC", interpolation, |o| o.interpolation == Interpolation::Cubic);
    }

    #[test]
    fn what_a_profile_would_say_is_noticed() {
        let named = |raw: EngineOptions| Options::check(&raw, &NO_PATHS).unwrap().named;
        assert_eq!(named(EngineOptions { backend: 2, ..DEFAULTS }), Some("backend"));
        assert_eq!(named(EngineOptions { provider: 1, ..DEFAULTS }), Some("provider"));
        assert_eq!(named(EngineOptions { precision: 1, ..DEFAULTS }), Some("precision"));
        assert_eq!(named(EngineOptions { threads: 1, ..DEFAULTS }), Some("threads"));
        assert_eq!(named(EngineOptions { streams: 1, ..DEFAULTS }), Some("streams"));
        let profile = |text| {
            let paths = Paths { profile: Some(text), ..NO_PATHS };
            Options::check(&DEFAULTS, &paths).unwrap().profile
        };
        assert_eq!(profile(c"none"), ProfileChoice::None);
        assert_eq!(profile(c"p.json"), ProfileChoice::File("p.json".into()));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let check = |change: fn(&mut EngineOptions)| {
            let mut raw = DEFAULTS;
            change(&mut raw);
            let error = Options::check(&raw, &NO_PATHS).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            error.message
        };
        assert_eq!(check(|raw| raw.batch = 257), "options: batch is 257; expected 0 to 256");
        assert_eq!(check(|raw| raw.workers = 257), "options: workers is 257; expected 0 to 256");
        assert_eq!(check(|raw| raw.backend = 5), "options: backend is 5; expected 0 to 4");
        assert_eq!(check(|raw| raw.mode = -1), "options: mode is -1; expected 0 to 1");
        assert_eq!(check(|raw| raw.device = -1), "options: device is -1; expected 0 to 63");
        assert_eq!(check(|raw| raw.streams = 1025), "options: streams is 1025; expected 0 to 1024");
        assert_eq!(check(|raw| raw.lanes = 9), "options: lanes is 9; expected 1 to 8");
        assert_eq!(check(|raw| raw.precision = 5), "options: precision is 5; expected 0 to 4");
        assert_eq!(
            check(|raw| raw.trust_engine = 2),
            "options: trust_engine is 2; expected 0 to 1"
        );
        assert_eq!(
            check(|raw| raw.held_frames = 0),
            "options: held_frames is 0; expected 1 to 256"
        );
        assert_eq!(check(|raw| raw.reserved = 1), "options: reserved is 1; expected 0");
        for ms in [-1.0, f64::NAN, f64::INFINITY] {
            let raw = EngineOptions { simulated_ms: ms, ..DEFAULTS };
            assert!(Options::check(&raw, &NO_PATHS).is_err(), "{ms}");
        }
    }
}
