//! Every call of the driver fails once, and then all of them.
#![expect(unsafe_code, reason = "one test breaks the promise that unsafe code makes")]

use engine::cuda::{
    Context, CudaError, DeviceBuffer, Lane, PinnedBuffer, PinnedKind, Stream, upload,
};
use engine_doubles::{Cuda, cuda};

use crate::support::{ROOM, batch, child, compute, expected, is_child, lane};

/// Everything that a backend does: set up, warm up, capture, run both ways, end.
fn whole_path(cuda: Cuda) -> Result<(), CudaError> {
    let context = Context::new(0)?;
    let (host, inputs) = batch(&context, 1)?;
    let mut lane = lane(&context)?;
    lane.run(|(), at| compute(cuda, at))?;
    lane.capture(4, |(), at| compute(cuda, at))?;
    lane.submit(host, ROOM, |(), at| compute(cuda, at))?;
    lane.is_done()?;
    let (host, _) = lane.collect()?;
    assert_eq!(host.output[..], expected(&inputs, 300));
    lane.submit_graph(host, ROOM, 4)?;
    let (host, _) = lane.collect()?;
    assert_eq!(host.output[..], expected(&inputs, 300));
    Ok(())
}

#[test]
fn every_call_may_fail_and_nothing_leaks() {
    let cuda = cuda();
    let control = cuda.exclusive();
    whole_path(cuda).unwrap();
    let calls = control.calls("*");
    assert!(calls > 100, "{calls}");
    for (code, name) in
        [(1, "CUDA_ERROR_INVALID_VALUE"), (2, "out of memory"), (719, "CUDA_ERROR_LAUNCH_FAILED")]
    {
        let mut unnoticed = Vec::new();
        for nth in 1..=calls {
            control.reset();
            control.fail("*", nth as u32, code);
            match whole_path(cuda) {
                Ok(()) => unnoticed.push(nth),
                Err(CudaError::OutOfMemory { attempt, bytes }) => {
                    assert!(code == 2 && attempt.starts_with("allocating") && bytes > 0);
                }
                Err(error) => {
                    assert!(error.to_string().contains(name), "call {nth}: {error}");
                }
            }
            assert!(control.calls("*") >= nth, "call {nth} was never made");
            assert_eq!(control.census(), [""; 0], "call {nth} failed with {code}");
        }
        // Nobody is told when ending something fails; there are no others who are not.
        assert!(unnoticed.len() < 40, "{unnoticed:?}");
        control.reset();
        whole_path(cuda).unwrap();
    }
}

/// In a process of its own, which the leak ends with.
#[test]
fn what_a_dead_device_may_still_use_is_never_freed() {
    if !is_child() {
        let output = child("faults::what_a_dead_device_may_still_use_is_never_freed", &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
        return;
    }
    let cuda = cuda();
    let control = cuda.exclusive();
    let context = Context::new(0).unwrap();
    let mut lane: Lane<()> = lane(&context).unwrap();
    let (host, _) = batch(&context, 1).unwrap();
    control.hold("host");
    lane.submit(host, ROOM, |(), at| compute(cuda, at)).unwrap();
    control.wait_running("host", 1);
    control.fail("*", 0, 719);
    let error = lane.collect().unwrap_err();
    assert_eq!(
        error.to_string(),
        "CUDA failed making the GPU current on a thread: unspecified launch failure \
         (CUDA_ERROR_LAUNCH_FAILED)"
    );
    assert!(!lane.is_busy());
    drop(lane);
    assert_eq!((control.count("pinned"), control.count("device")), (3, 3));
    control.release("host");
}

#[test]
fn a_batch_that_cannot_be_queued_goes_only_when_the_device_is_done() {
    let cuda = cuda();
    let control = cuda.exclusive();
    {
        let context = Context::new(0).unwrap();
        let mut lane = lane(&context).unwrap();
        let (host, _) = batch(&context, 1).unwrap();
        // The uploads are queued by then; freeing their source now would abort.
        control.fail("cuMemcpyDtoHAsync_v2", 1, 719);
        let error = lane.submit(host, ROOM, |(), at| compute(cuda, at)).unwrap_err();
        let expected = "CUDA failed downloading the output: unspecified launch failure \
                        (CUDA_ERROR_LAUNCH_FAILED)";
        assert_eq!(error.to_string(), expected);
        assert_eq!(control.count("pinned"), 0);
    }
    assert_eq!(control.census(), [""; 0]);
}

/// The tests above rely on the driver's noticing; this one shows that it does.
#[test]
fn freeing_what_is_in_use_is_noticed() {
    if is_child() {
        let control = cuda().exclusive();
        let context = Context::new(0).unwrap();
        let stream = Stream::new(&context).unwrap();
        let to = DeviceBuffer::new(&context, 16).unwrap();
        let from = PinnedBuffer::zeroed(&context, 16, PinnedKind::Cached).unwrap();
        control.hold("upload");
        // SAFETY: none: the buffer is dropped too early, which the driver has to notice before
        // anything is read.
        unsafe { upload(&stream, &to, &from, 16) }.unwrap();
        drop(from);
        return;
    }
    let output = child("faults::freeing_what_is_in_use_is_noticed", &[]);
    let text = String::from_utf8_lossy(&output.stderr);
    let expected = "engine-doubles: pinned memory is freed while 1 queued operations use it";
    assert!(text.lines().any(|line| line == expected), "{text}");
    assert!(!output.status.success());
}
