//! Batches through lanes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use engine::cuda::{
    Bindings, Context, CudaError, Event, Floats, Lane, PinnedBuffer, PinnedKind, Staging, Stream,
};
use engine_doubles::{Control, cuda};

use crate::support::{ROOM, batch, compute, expected, lane};

#[test]
fn bytes_go_there_and_back() {
    let cuda = cuda();
    let control = cuda.exclusive();
    {
        let context = Context::new(0).unwrap();
        let mut lane = lane(&context).unwrap();
        for seed in 0..3 {
            let (mut host, inputs) = batch(&context, seed).unwrap();
            host.output.fill(-1.0);
            // A short batch leaves the rest of the output as it was.
            let floats = Floats { output: 100, ..ROOM };
            lane.submit(host, floats, |_, at| compute(cuda, at)).unwrap();
            assert!(lane.is_busy());
            let (host, _) = lane.collect().unwrap();
            assert!(!lane.is_busy());
            assert_eq!(host.output[..100], expected(&inputs, 100));
            assert_eq!(host.output[100..], [-1.0; 200]);
        }
    }
    assert_eq!(control.census(), [""; 0]);
}

#[test]
fn a_stream_keeps_the_order_and_nothing_waits_for_the_host() {
    let cuda = cuda();
    let control = cuda.exclusive();
    let context = Context::new(0).unwrap();
    let mut lane = lane(&context).unwrap();
    let (host, inputs) = batch(&context, 1).unwrap();
    control.hold("upload");
    lane.submit(host, ROOM, |_, at| compute(cuda, at)).unwrap();
    control.wait_running("upload", 1);
    assert_eq!(lane.is_done(), Ok(false));
    assert_eq!(ended(&control), ["record"], "only the mark before the uploads was passed");
    control.release("upload");
    let (host, times) = lane.collect().unwrap();
    assert_eq!(lane.is_done(), Ok(true));
    assert_eq!(host.output[..], expected(&inputs, 300));
    assert_eq!(
        ended(&control),
        ["record", "upload", "upload", "record", "host", "record", "download", "record"]
    );
    let parts = [times.upload_ms, times.compute_ms, times.download_ms];
    assert!(parts.iter().all(|ms| (0.0..=times.total_ms).contains(ms)), "{times:?}");
    let sum: f32 = parts.iter().sum();
    assert!((sum - times.total_ms).abs() <= 1e-3 * times.total_ms, "{times:?}");
}

#[test]
fn three_lanes_upload_compute_and_download_at_the_same_time() {
    let cuda = cuda();
    let control = cuda.exclusive();
    let context = Context::new(0).unwrap();
    let mut lanes: Vec<_> = (0..3).map(|_| lane(&context).unwrap()).collect();
    let mut inputs = Vec::new();
    for (seed, (lane, stage)) in lanes.iter_mut().zip(["download", "host", "upload"]).enumerate() {
        let (host, input) = batch(&context, seed).unwrap();
        inputs.push(input);
        control.hold(stage);
        lane.submit(host, ROOM, |_, at| compute(cuda, at)).unwrap();
        control.wait_running(stage, 1);
    }
    // Each was found running after the one before, and none of them may end.
    for stage in ["upload", "host", "download"] {
        control.wait_running(stage, 1);
    }
    assert!(lanes.iter().all(|lane| lane.is_done() == Ok(false)));
    for stage in ["upload", "host", "download"] {
        control.release(stage);
    }
    for (lane, input) in lanes.iter_mut().zip(&inputs) {
        assert_eq!(lane.collect().unwrap().0.output[..], expected(input, 300));
    }
}

#[test]
fn a_captured_graph_does_the_same_again() {
    let cuda = cuda();
    let control = cuda.exclusive();
    {
        let context = Context::new(0).unwrap();
        let mut lane = lane(&context).unwrap();
        lane.run(|(), at| compute(cuda, at)).unwrap();
        assert_eq!(ended(&control), ["host"], "a warm-up is waited for");
        lane.capture(4, |(), at| compute(cuda, at)).unwrap();
        assert_eq!(ended(&control), ["host"], "a capture computes nothing");
        assert!(lane.has_graph(4));
        assert!(!lane.has_graph(3));
        for seed in 0..3 {
            let (host, inputs) = batch(&context, seed).unwrap();
            lane.submit_graph(host, ROOM, 4).unwrap();
            assert_eq!(lane.collect().unwrap().0.output[..], expected(&inputs, 300));
        }
        assert_eq!(ended(&control).iter().filter(|name| *name == "host").count(), 4);
        assert_eq!((control.count("graph"), control.count("graph_exec")), (0, 1));
        lane.capture(4, |(), at| compute(cuda, at)).unwrap();
        assert_eq!(control.count("graph_exec"), 1, "the new graph replaces the old one");

        let (host, _) = batch(&context, 0).unwrap();
        let error = lane.submit_graph(host, ROOM, 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a lane was asked for a batch by graph, but no graph was captured for its size"
        );
        assert!(!lane.is_busy());
    }
    assert_eq!(control.census(), [""; 0]);
}

#[test]
fn a_capture_that_fails_leaves_the_lane_usable() {
    let cuda = cuda();
    let control = cuda.exclusive();
    let context = Context::new(0).unwrap();
    let mut lane = lane(&context).unwrap();
    let forbidden = lane.capture(4, |(), at| at.stream.synchronize()).unwrap_err();
    assert!(forbidden.to_string().contains("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"), "{forbidden}");
    // What was captured after an error that went unnoticed is worth nothing either.
    let unnoticed = lane.capture(4, |(), at| {
        let _refused = at.stream.synchronize();
        Ok(())
    });
    let unnoticed: CudaError = unnoticed.unwrap_err();
    assert!(unnoticed.to_string().contains("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"), "{unnoticed}");
    let own = CudaError::NoDevice;
    assert_eq!(lane.capture(4, |(), _| Err(own.clone())), Err(own));
    assert!(!lane.has_graph(4));
    assert_eq!((control.count("graph"), control.count("graph_exec")), (0, 0));
    let (host, inputs) = batch(&context, 5).unwrap();
    lane.submit(host, ROOM, |_, at| compute(cuda, at)).unwrap();
    assert_eq!(lane.collect().unwrap().0.output[..], expected(&inputs, 300));
}

#[test]
fn a_lane_takes_one_batch_at_a_time_and_what_fits() {
    let cuda = cuda();
    let control = cuda.exclusive();
    let context = Context::new(0).unwrap();
    let mut lane = lane(&context).unwrap();
    let none = lane.collect().unwrap_err();
    assert_eq!(none.to_string(), "a lane was asked for a finished batch, but none was submitted");

    let (first, inputs) = batch(&context, 1).unwrap();
    lane.submit(first, ROOM, |_, at| compute(cuda, at)).unwrap();
    let (second, _) = batch(&context, 2).unwrap();
    let busy = lane.submit(second, ROOM, |_, at| compute(cuda, at)).unwrap_err();
    assert_eq!(busy.to_string(), "a lane was asked for a batch, but a batch is on its way");
    assert!(lane.run(|(), at| compute(cuda, at)).is_err());
    assert!(lane.capture(1, |(), at| compute(cuda, at)).is_err());
    assert_eq!(lane.collect().unwrap().0.output[..], expected(&inputs, 300));

    for (floats, tensor, asked, room) in [
        (Floats { inputs: [601, 40], ..ROOM }, "input", 601, 600),
        (Floats { inputs: [600, 41], ..ROOM }, "input", 41, 40),
        (Floats { output: 301, ..ROOM }, "output", 301, 300),
    ] {
        let (host, _) = batch(&context, 1).unwrap();
        let operations = ended(&control).len();
        let error = lane.submit(host, floats, |_, at| compute(cuda, at)).unwrap_err();
        assert_eq!(error, CudaError::Room { tensor, asked, room });
        assert_eq!(ended(&control).len(), operations, "nothing was queued");
    }
    // Host buffers may be the shorter ones.
    let small = Floats { inputs: [600, 40], output: 10 };
    let host = Staging::zeroed(&context, small, PinnedKind::Cached).unwrap();
    let error = lane.submit(host, ROOM, |_, at| compute(cuda, at)).unwrap_err();
    assert_eq!(error, CudaError::Room { tensor: "output", asked: 300, room: 10 });
    assert_eq!(control.count("pinned"), 0);
}

/// Looks at what is left when it is dropped.
struct Witness {
    control: &'static Control,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let mut seen = self.control.census();
        seen.extend(ended(self.control));
        *self.seen.lock().unwrap() = seen;
    }
}

#[test]
fn a_lane_ends_after_its_work_and_takes_its_memory_last() {
    let cuda = cuda();
    let control = cuda.exclusive();
    let context = Context::new(0).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let witness = Witness { control: cuda.control(), seen: Arc::clone(&seen) };
    let mut lane: Lane<Witness> =
        Lane::new(&context, ROOM, |_| Ok::<_, CudaError>(witness)).unwrap();
    lane.capture(1, |_, at| compute(cuda, at)).unwrap();
    let (host, _) = batch(&context, 1).unwrap();
    control.hold("host");
    lane.submit(host, ROOM, |_, at| compute(cuda, at)).unwrap();
    let dropped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(lane);
            dropped.store(true, Ordering::Release);
        });
        control.wait_running("host", 1);
        assert!(!dropped.load(Ordering::Acquire), "a lane went while its work was held");
        control.release("host");
    });
    let expected = [
        "device 3",
        "event 4",
        "pinned 3",
        "primary_context 1",
        "stream 1",
        "record",
        "upload",
        "upload",
        "record",
        "host",
        "record",
        "download",
        "record",
    ];
    assert_eq!(*seen.lock().unwrap(), expected, "graphs went before, memory goes after");
    drop(context);
    assert_eq!(control.census(), [""; 0]);
}

#[test]
fn what_was_queued_before_a_lane_was_refused_is_waited_for() {
    let cuda = cuda();
    let control = cuda.exclusive();
    let context = Context::new(0).unwrap();
    let refused = Lane::<()>::new(&context, ROOM, |at: &Bindings<'_>| {
        compute(cuda, at)?;
        Err(CudaError::NoDevice)
    });
    assert_eq!(refused.unwrap_err(), CudaError::NoDevice);
    assert_eq!(ended(&control), ["host"]);
    assert_eq!(control.census(), ["primary_context 1"]);
}

#[test]
fn events_know_whether_they_are_reached() {
    let control = cuda().exclusive();
    let context = Context::new(0).unwrap();
    let stream = Stream::new(&context).unwrap();
    let (start, end) = (Event::new(&context).unwrap(), Event::new(&context).unwrap());
    assert_eq!(end.is_done(), Ok(true), "never recorded");
    let error = Event::elapsed_ms(&start, &end).unwrap_err().to_string();
    assert!(error.contains("CUDA_ERROR_INVALID_HANDLE"), "{error}");
    control.hold("record");
    start.record(&stream).unwrap();
    end.record(&stream).unwrap();
    assert_eq!(end.is_done(), Ok(false));
    control.release("record");
    end.synchronize().unwrap();
    assert_eq!(end.is_done(), Ok(true));
    assert!(Event::elapsed_ms(&start, &end).unwrap() >= 0.0);
}

#[test]
fn pinned_memory_is_zeroed_and_may_go_on_any_thread() {
    let control = cuda().exclusive();
    let context = Context::new(0).unwrap();
    for kind in [PinnedKind::Cached, PinnedKind::WriteCombined] {
        for len in [0, 1, 1000] {
            let buffer = PinnedBuffer::zeroed(&context, len, kind).unwrap();
            assert_eq!(buffer[..], vec![0.0; len]);
            assert_eq!(buffer.as_ptr() as usize % 64, 0);
            assert_eq!(control.count("pinned"), 1);
            std::thread::scope(|scope| scope.spawn(move || drop(buffer)).join()).unwrap();
            assert_eq!(control.count("pinned"), 0);
        }
    }
    let bytes = 4 * (1 << 32);
    let error = PinnedBuffer::zeroed(&context, 1 << 32, PinnedKind::Cached).unwrap_err();
    assert_eq!(error, CudaError::OutOfMemory { attempt: "allocating pinned memory", bytes });
    let room = Floats { output: usize::MAX, ..ROOM };
    let error = Lane::<()>::new(&context, room, |_| Ok::<_, CudaError>(())).unwrap_err();
    let attempt = "allocating GPU memory";
    assert_eq!(error, CudaError::OutOfMemory { attempt, bytes: usize::MAX });
    assert_eq!(control.census(), ["primary_context 1"]);
}

/// The operations that have ended, in order.
fn ended(control: &Control) -> Vec<String> {
    let name = |line: String| line.split_once(" end ").map(|(_, name)| name.to_owned());
    control.events().into_iter().filter_map(name).collect()
}
