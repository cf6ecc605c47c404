//! A batch on its way through a lane allocates nothing.
#![expect(unsafe_code, reason = "a global allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use engine::batch::{AUDIO_LEN, HostBatch, HostBuffer, Predictions, Span};
use engine::cuda::{Context, CudaError, Floats, Lane, PinnedBuffer, PinnedKind};
use engine::frame::ModelGeometry;

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

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test, so that nothing else allocates at the same time.
#[test]
fn buffers_travel_between_batch_and_lane_without_allocating() {
    let control = engine_doubles::cuda().exclusive();
    let context = Context::new(0).unwrap();
    let geometry = ModelGeometry::new(32).unwrap();
    let pinned =
        |len| HostBuffer::pinned(PinnedBuffer::zeroed(&context, len, PinnedKind::Cached).unwrap());
    let floats = Floats {
        inputs: [2 * geometry.image_len(), 2 * AUDIO_LEN],
        output: 2 * geometry.prediction_len(),
    };
    let predictions = Predictions::Host(pinned(floats.output));
    let [image, audio] = floats.inputs.map(pinned);
    let mut batch = HostBatch::with_buffers(geometry, 2, image, audio, predictions);
    let mut lane: Lane<()> = Lane::new(&context, floats, |_| Ok::<_, CudaError>(())).unwrap();
    let mut run = |mut batch: HostBatch| {
        let buffers = batch.take_buffers().expect("predictions are the batch's own");
        let staging = buffers.into_staging().expect("all buffers are pinned");
        assert!(batch.image(0).is_empty());
        lane.submit(staging, floats, |(), _| Ok::<_, CudaError>(())).unwrap();
        let in_flight = batch.into_flight(0);
        let (staging, _) = lane.collect().unwrap();
        in_flight.complete_with(Span::at(Instant::now()), staging.into()).into_batch()
    };
    batch = run(batch);
    let before = CALLS.load(Ordering::Relaxed);
    for _ in 0..100 {
        batch = run(batch);
    }
    assert_eq!(CALLS.load(Ordering::Relaxed) - before, 0);
    assert_eq!(batch.image(2).len(), floats.inputs[0]);
    assert_eq!(control.count("pinned"), 3);
}
