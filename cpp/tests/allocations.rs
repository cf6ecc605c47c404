//! Frames reach the host without an allocation, by callback and by pull.
#![allow(unsafe_code, reason = "a global allocator, and the functions of engine.h, are unsafe")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{CStr, CString, c_void};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

use engine::frame::Size;
use engine::sample::{Batch, Form, NetworkKind, SampleOptions, write_package};
use engine::sink::ImageFormat;
use engine_cpp::ffi::*;

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

fn ok(status: i32) {
    // SAFETY: the text is valid until the next call on this thread.
    let why = unsafe { CStr::from_ptr(engine_last_error()) };
    assert_eq!(status, 0, "{}", why.to_string_lossy());
}

fn open(folder: &Path, mode: i32) -> *const Host {
    let path = CString::new(folder.to_str().unwrap()).unwrap();
    let mut options = MaybeUninit::uninit();
    let mut pipeline = null();
    // SAFETY: all pointers are to what lives during the calls.
    unsafe {
        ok(engine_options_init(options.as_mut_ptr(), VERSION));
        // Few rows can wait, so that their buffers are all made in the first run.
        let simulated = EngineOptions {
            backend: 3,
            simulated_ms: 0.02,
            mode,
            pushed_rows: 8,
            ..options.assume_init()
        };
        ok(engine_pipeline_open(path.as_ptr(), &raw const simulated, &raw mut pipeline));
    }
    pipeline
}

/// Counts frames.
unsafe extern "C" fn count(user: *mut c_void, view: *const EngineFrameView) -> i32 {
    // SAFETY: the user pointer is the counter below, and the view is valid during the call.
    unsafe {
        assert_eq!((*view).index, *user.cast::<u64>());
        *user.cast::<u64>() += 1;
    }
    0
}

/// Allocations of a run of `frames` frames of pushed rows.
fn run(pipeline: *const Host, frames: u64, pulled: bool) -> u64 {
    let row = [0.25_f32; 512];
    let mut counted = 0_u64;
    let before = CALLS.load(Ordering::Relaxed);
    let mut got = 0;
    // SAFETY: all pointers are to what lives until the run has been waited for.
    unsafe {
        let callback: EngineFrameCallback = if pulled { None } else { Some(count) };
        let user = (&raw mut counted).cast();
        ok(engine_pipeline_start(pipeline, SPEECH_PUSHED, callback, user, None));
        for _ in 0..frames {
            ok(engine_pipeline_push_all(pipeline, row.as_ptr(), 1, 512));
            let mut frame = null_mut();
            while pulled && engine_pipeline_pull_due(pipeline, &raw mut frame) == 0 {
                got += 1;
                engine_frame_release(&raw mut frame);
            }
        }
        ok(engine_pipeline_close_input(pipeline));
        let mut frame = null_mut();
        while pulled && engine_pipeline_pull(pipeline, &raw mut frame) == 0 {
            got += 1;
            engine_frame_release(&raw mut frame);
        }
        ok(engine_pipeline_wait(pipeline, null_mut()));
    }
    assert_eq!(if pulled { got } else { counted }, frames);
    CALLS.load(Ordering::Relaxed) - before
}

/// One test, so that nothing else allocates at the same time.
#[test]
fn a_frame_reaches_the_host_without_an_allocation() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    let options = SampleOptions {
        frames: 6,
        size: Size::new(192, 108),
        side: 32,
        form: Form::Images(ImageFormat::Png),
        network: NetworkKind::Probe,
        batch: Batch::Symbolic,
        seed: 3,
        rects: None,
    };
    write_package(&folder, &options, |_| ControlFlow::Continue(())).unwrap();
    for mode in [0, 1] {
        for pulled in [false, true] {
            let mut pipeline = open(&folder, mode);
            run(pipeline, 200, pulled);
            // Starting and ending a run allocates; what is left is the steady state.
            let (short, long) = (run(pipeline, 1000, pulled), run(pipeline, 4000, pulled));
            let per_frame = long.saturating_sub(short) as f64 / 3000.0;
            assert!(
                per_frame <= 0.01,
                "{per_frame} allocations a frame ({short} in 1000 frames, {long} in 4000), mode \
                 {mode}, pulled: {pulled}"
            );
            // SAFETY: the pipeline came from `open` and is not used again.
            unsafe { engine_pipeline_destroy(&raw mut pipeline) };
        }
    }
}
