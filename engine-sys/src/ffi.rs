//! The bridge to cpp/shim/shim.h, and what C++ calls back.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Severity;
use crate::sinks::{LogSink, ProgressSink};

#[cxx::bridge(namespace = "shim")]
pub(crate) mod bridge {
    /// As the library or the headers report it.
    #[derive(Clone, Copy)]
    struct Version {
        major: u32,
        minor: u32,
        patch: u32,
        build: u32,
    }

    /// One input or output of an engine; -1 stands for a dynamic dimension.
    struct Tensor {
        name: String,
        input: bool,
        /// Value of nvinfer1::DataType.
        element: i32,
        shape: Vec<i64>,
        /// The profile's shapes; empty for outputs.
        min: Vec<i64>,
        opt: Vec<i64>,
        max: Vec<i64>,
    }

    /// The shapes that an input may take.
    struct InputRange {
        name: String,
        min: Vec<i64>,
        opt: Vec<i64>,
        max: Vec<i64>,
    }

    /// What to build.
    struct BuildRequest {
        profile: Vec<InputRange>,
        /// Bytes of device memory that layers may use while they run; 0 leaves TensorRT's default.
        workspace: usize,
        version_compatible: bool,
        hardware_compatible: bool,
        use_timing_cache: bool,
        /// Empty for a new one.
        timing_cache: Vec<u8>,
    }

    extern "Rust" {
        type LogSink;
        fn log_message(sink: &LogSink, severity: u8, message: &[u8]);

        type ProgressSink;
        fn phase_start(sink: &ProgressSink, name: &[u8], parent: &[u8], steps: i32);
        fn step_complete(sink: &ProgressSink, name: &[u8], step: i32) -> bool;
        fn phase_finish(sink: &ProgressSink, name: &[u8]);
    }

    unsafe extern "C++" {
        include!("shim.h");

        type Library;
        fn library_version(path: &str) -> Result<Version>;
        fn open_library(flavour: u8, path: &str, log: Box<LogSink>) -> Result<UniquePtr<Library>>;
        fn header_version(flavour: u8) -> Version;
        fn can_build(self: &Library) -> bool;
        fn build(
            self: &Library,
            parser: &str,
            model: &[u8],
            request: &BuildRequest,
            progress: &ProgressSink,
        ) -> Result<UniquePtr<Plan>>;
        fn create_runtime(self: &Library, host_code: bool) -> Result<UniquePtr<Runtime>>;

        type Plan;
        fn engine(self: &Plan) -> &[u8];
        fn timing_cache(self: &Plan) -> &[u8];

        type Runtime;
        fn deserialize(self: &Runtime, plan: &[u8]) -> Result<UniquePtr<Engine>>;

        type Engine;
        fn tensors(self: &Engine) -> Result<Vec<Tensor>>;
        fn context_bytes(self: &Engine) -> i64;
        fn create_context(self: &Engine) -> Result<UniquePtr<Context>>;

        type Context;
        fn set_input_shape(self: Pin<&mut Context>, tensor: usize, dims: &[i64]) -> Result<()>;
        /// # Safety
        /// `address` must be device memory for the whole tensor until the context is destroyed or
        /// is given another address, and nothing that was enqueued still uses it.
        unsafe fn set_tensor_address(
            self: Pin<&mut Context>,
            tensor: usize,
            address: usize,
        ) -> Result<()>;
        /// # Safety
        /// `stream` must be a live stream of the current CUDA context, and every tensor's memory
        /// must stay untouched by others until the stream has passed the work.
        unsafe fn enqueue(self: Pin<&mut Context>, stream: usize) -> Result<()>;
    }
}

/// A panic must not cross into C++; what a log or a progress bar does wrong is not worth a build.
fn contained<T>(fallback: T, call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(fallback)
}

fn log_message(sink: &LogSink, severity: u8, message: &[u8]) {
    contained((), || sink.message(Severity::from_raw(severity), &String::from_utf8_lossy(message)));
}

fn phase_start(sink: &ProgressSink, name: &[u8], parent: &[u8], steps: i32) {
    let parent = (!parent.is_empty()).then(|| String::from_utf8_lossy(parent));
    let steps = u32::try_from(steps).unwrap_or(0);
    contained((), || {
        sink.phase_start(&String::from_utf8_lossy(name), parent.as_deref(), steps);
    });
}

/// Whether to go on.
fn step_complete(sink: &ProgressSink, name: &[u8], step: i32) -> bool {
    let step = u32::try_from(step).unwrap_or(0);
    contained(ControlFlow::Continue(()), || sink.step(&String::from_utf8_lossy(name), step))
        .is_continue()
}

fn phase_finish(sink: &ProgressSink, name: &[u8]) {
    contained((), || sink.phase_finish(&String::from_utf8_lossy(name)));
}
