//! A queue of work on the device.

use std::fmt;

use cudarc::driver::result;
use cudarc::driver::result::stream::StreamKind;
use cudarc::driver::sys::{self, CUevent_wait_flags, CUstreamCaptureMode};

use super::error::Attempt;
use super::{Context, CudaError, Event, Graph};

/// Does what is queued one after the other, independently of other streams.
pub struct Stream {
    context: Context,
    raw: sys::CUstream,
}

// SAFETY: the driver's functions may be called from any thread with any stream, and lock it.
unsafe impl Send for Stream {}
// SAFETY: as for `Send`.
unsafe impl Sync for Stream {}

impl Stream {
    /// An empty stream.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn new(context: &Context) -> Result<Self, CudaError> {
        context.bind()?;
        // Without this kind, work on the default stream (libraries put some there) would wait for
        // this stream and this stream for it.
        let raw = result::stream::create(StreamKind::NonBlocking).attempt("creating a stream")?;
        Ok(Self { context: context.clone(), raw })
    }

    /// The context it belongs to.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The driver's handle, a `CUstream` or `cudaStream_t`, for libraries that queue work on their
    /// own. Valid as long as this value lives.
    pub fn raw(&self) -> usize {
        self.raw as usize
    }

    /// Waits until everything that was queued is done.
    ///
    /// # Errors
    /// When the driver refuses, or work that was queued failed.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.context.bind()?;
        // SAFETY: the stream lives as long as this value.
        unsafe { result::stream::synchronize(self.raw) }.attempt("waiting for a stream")
    }

    /// Waits until nothing is left on the stream, whatever it was.
    pub(super) fn settle(&self) -> Result<(), CudaError> {
        // One call that fails may be a passing matter; the device as a whole answers for the rest.
        self.synchronize().or_else(|_| self.context.synchronize())
    }

    /// Has what is queued later wait until the mark of `event` is reached; not at all when there is
    /// none.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn wait_for(&self, event: &Event) -> Result<(), CudaError> {
        self.context.bind()?;
        let flags = CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: stream and event live; the driver keeps what it needs of the event.
        unsafe { result::stream::wait_event(self.raw, event.handle(), flags) }
            .attempt("waiting for another stream")
    }

    /// Records what `queue` puts on this stream instead of doing it, and makes a graph of that.
    ///
    /// # Errors
    /// What `queue` says, or when something in it cannot be captured. The stream is usable
    /// afterwards.
    pub fn capture<E: From<CudaError>>(
        &self,
        queue: impl FnOnce() -> Result<(), E>,
    ) -> Result<Graph, E> {
        self.context.bind()?;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives as long as this value.
        unsafe { result::stream::begin_capture(self.raw, mode) }.attempt("beginning a capture")?;
        let mut capture = Capture { stream: self, open: true };
        queue()?;
        Ok(capture.end()?)
    }

    /// The driver's handle.
    pub(super) fn handle(&self) -> sys::CUstream {
        self.raw
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:#x})", self.raw as usize)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Where this fails, the next call may still work: its context may be the current one.
        let _the_next_call_tells = self.context.bind();
        // SAFETY: the stream is ended once; the driver still does what is queued on it.
        let _nobody_is_left_to_tell = unsafe { result::stream::destroy(self.raw) };
    }
}

/// A capture that is ended whatever happens: a stream left capturing can do nothing else.
struct Capture<'a> {
    stream: &'a Stream,
    open: bool,
}

impl Capture<'_> {
    fn end(&mut self) -> Result<Graph, CudaError> {
        self.open = false;
        // Where this fails, the next call may still work, and it must be made.
        let _the_next_call_tells = self.stream.context.bind();
        // SAFETY: the stream lives, and this thread began its capture.
        let graph = unsafe { result::stream::end_capture(self.stream.raw) };
        let graph = graph.attempt("ending a capture")?;
        if graph.is_null() {
            return Err(CudaError::Lane {
                attempt: "a graph",
                state: "what was queued cannot be captured",
            });
        }
        // SAFETY: the driver just gave the graph out, and nobody else has it.
        unsafe { Graph::instantiate(&self.stream.context, graph) }
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        if self.open {
            // The graph, or why there is none, interests nobody: another error is on its way.
            let _dropped = self.end();
        }
    }
}
