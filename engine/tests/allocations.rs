//! The steady state of a run does not allocate.
#![allow(unsafe_code, reason = "a global allocator is unsafe to implement")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::backend::{Backend, Simulated};
use engine::dataset::{Speech, StoreMode, feature_feed};
use engine::pipeline::{CancelToken, Mode};
use engine::sink::{SinkOptions, SinkTarget};
use support::{Setting, geometry, package, pipeline};

/// The system's allocator, counting calls.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test, so that nothing else allocates at the same time.
#[test]
fn a_run_allocates_less_than_once_in_a_hundred_frames() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    package(&folder, 6);
    for mode in [Mode::Pipelined, Mode::Sequential] {
        for (batch, workers) in [(4, 4), (1, 1), (8, 2)] {
            let setting =
                Setting { batch, workers, mode, store: StoreMode::Ram, ..Setting::default() };
            steady(&folder, setting, Box::new(Simulated::new(geometry(), 0.02).unwrap()));
            openvino(&folder, setting);
        }
        fed(&folder, mode);
    }
}

/// Runs 1000 frames and 4000 with a backend, and compares.
fn steady(folder: &Path, setting: Setting, backend: Box<dyn Backend>) {
    let name = backend.name();
    let mut pipeline = pipeline(folder, setting, 4000, backend);
    let frame = pipeline.stages().frame;
    let mut allocations = |frames: u64| {
        let sink = SinkTarget::Null.open(SinkOptions::new(frame, frames)).unwrap();
        let before = CALLS.load(Ordering::Relaxed);
        pipeline.run(frames, sink, &CancelToken::new()).unwrap();
        CALLS.load(Ordering::Relaxed) - before
    };
    allocations(200);
    // Starting and ending a run allocates; what is left is the steady state.
    let (short, long) = (allocations(1000), allocations(4000));
    let per_frame = long.saturating_sub(short) as f64 / 3000.0;
    assert!(
        per_frame <= 0.01,
        "{per_frame} allocations a frame ({short} in 1000 frames, {long} in 4000), {name}, {setting:?}"
    );
}

/// The same on OpenVINO, whose own allocations are not counted.
#[cfg(feature = "openvino")]
fn openvino(folder: &Path, setting: Setting) {
    use engine::backend::{OpenVino, OpenVinoOptions, OpenVinoPrecision};
    let library = match engine_sys::search::find_openvino(None) {
        Ok(library) => library,
        Err(error) => return eprintln!("SKIPPED with OpenVINO: {error}"),
    };
    let precision = OpenVinoPrecision::Fp32;
    let options = OpenVinoOptions { library, threads: 2, streams: 1, precision };
    let model = folder.join("checkpoint/model_best.onnx");
    steady(folder, setting, Box::new(OpenVino::open(&model, &options).unwrap()));
}

#[cfg(not(feature = "openvino"))]
fn openvino(_folder: &Path, _setting: Setting) {}

/// The same for speech that comes in rows.
fn fed(folder: &Path, mode: Mode) {
    let setting = Setting { mode, store: StoreMode::Ram, ..Setting::default() };
    let mut pipeline =
        pipeline(folder, setting, 1, Box::new(Simulated::new(geometry(), 0.02).unwrap()));
    let frame = pipeline.stages().frame;
    let row = [0.25_f32; 512];
    let mut allocations = |frames: u64| {
        let sink = SinkTarget::Null.open(SinkOptions::new(frame, frames)).unwrap();
        let token = CancelToken::new();
        let (mut writer, reader) = feature_feed(8);
        let before = CALLS.load(Ordering::Relaxed);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..frames {
                    writer.write_all(&row, token.signal()).unwrap();
                }
                drop(writer);
            });
            pipeline.run_speech(Speech::Fed(reader), sink, &token).unwrap();
        });
        CALLS.load(Ordering::Relaxed) - before
    };
    allocations(200);
    let (short, long) = (allocations(1000), allocations(4000));
    let per_frame = long.saturating_sub(short) as f64 / 3000.0;
    assert!(per_frame <= 0.01, "{per_frame} allocations a frame of fed speech, {mode}");
}
