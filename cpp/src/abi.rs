//! The structs and constants of engine.h, field by field. `tests/layout.rs` compares the two.

use std::ffi::{c_char, c_void};

/// engine_options.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in engine.h")]
pub struct EngineOptions {
    pub version: u32,
    pub backend: i32,
    pub model: *const c_char,
    pub simulated_ms: f64,
    pub onnxruntime_library: *const c_char,
    pub provider: i32,
    pub device: i32,
    pub threads: u32,
    pub lanes: u32,
    pub tensorrt_folder: *const c_char,
    pub profile: *const c_char,
    pub openvino_library: *const c_char,
    pub streams: u32,
    pub cuda_graphs: i32,
    pub precision: i32,
    pub trust_engine: i32,
    pub mode: i32,
    pub batch: u32,
    pub workers: u32,
    pub inputs: i32,
    pub frame_store: i32,
    pub ram_budget: u64,
    pub region_budget: u64,
    pub compositor: i32,
    pub interpolation: i32,
    pub queued_frames: u32,
    pub held_frames: u32,
    pub pushed_rows: u32,
    pub reserved: u32,
}

/// engine_frame_view.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in engine.h")]
pub struct EngineFrameView {
    pub data: *const u8,
    pub width: usize,
    pub height: usize,
    pub stride: usize,
    pub index: u64,
    pub seconds: f64,
}

/// engine_summary.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in engine.h")]
pub struct EngineSummary {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// engine_statistics.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in engine.h")]
pub struct EngineStatistics {
    pub frames: u64,
    pub cancelled: i32,
    pub reserved: i32,
    pub wall_seconds: f64,
    pub frames_per_second: f64,
    pub inference_ms: EngineSummary,
    pub composite_ms: EngineSummary,
    pub composite_cpu_ms: EngineSummary,
    pub assemble_ms: EngineSummary,
    pub deliver_ms: EngineSummary,
}

/// engine_stage_rates.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in engine.h")]
pub struct EngineStageRates {
    pub decode: f64,
    pub assemble: f64,
    pub infer: f64,
    pub composite: f64,
    pub bound: f64,
}

/// engine_info.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in engine.h")]
pub struct EngineInfo {
    pub width: usize,
    pub height: usize,
    pub frames_per_second: f64,
    pub background_frames: usize,
    pub network_side: usize,
    pub batch: usize,
    pub workers: usize,
    pub backend: *const c_char,
    pub provider: *const c_char,
    pub package: *const c_char,
}

/// engine_frame_callback.
pub type EngineFrameCallback =
    Option<unsafe extern "C" fn(user: *mut c_void, view: *const EngineFrameView) -> i32>;

/// engine_log_callback.
pub type EngineLogCallback =
    Option<unsafe extern "C" fn(user: *mut c_void, level: i32, line: *const c_char)>;

/// engine_release.
pub type EngineRelease = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// ENGINE_SPEECH_PACKAGE.
pub const SPEECH_PACKAGE: i32 = 0;
/// ENGINE_SPEECH_PUSHED.
pub const SPEECH_PUSHED: i32 = 1;

const fn number(digits: &str) -> u32 {
    let (digits, mut at, mut number) = (digits.as_bytes(), 0, 0);
    while at < digits.len() {
        number = number * 10 + (digits[at] - b'0') as u32;
        at += 1;
    }
    number
}

const MAJOR: u32 = number(env!("CARGO_PKG_VERSION_MAJOR"));
const MINOR: u32 = number(env!("CARGO_PKG_VERSION_MINOR"));
const PATCH: u32 = number(env!("CARGO_PKG_VERSION_PATCH"));

/// This library's version, as ENGINE_MAKE_VERSION makes it.
pub const VERSION: u32 = MAJOR << 22 | MINOR << 12 | PATCH;

/// Whether this library fits a header of version `header`.
pub(crate) const fn fits(header: u32) -> bool {
    let (major, minor) = (header >> 22, header >> 12 & 0x3ff);
    major == MAJOR && if MAJOR == 0 { minor == MINOR } else { minor <= MINOR }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_by_minor_before_the_first_major() {
        let patched = VERSION + 7;
        assert!(fits(VERSION) && fits(patched));
        assert!(!fits(0) && !fits(VERSION + (1 << 12)) && !fits(VERSION + (1 << 22)));
    }
}
