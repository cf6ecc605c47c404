//! Work that was captured from a stream and can be queued again in one call.

use std::fmt;

use cudarc::driver::result;
use cudarc::driver::sys::{self, CUgraphInstantiate_flags};

use super::error::Attempt;
use super::{Context, CudaError, Stream};

/// Captured work, ready to be launched. It refers to the memory that the work was captured with.
pub struct Graph {
    context: Context,
    raw: sys::CUgraphExec,
}

// SAFETY: the handle belongs to this value alone, and the driver does not tie it to a thread.
unsafe impl Send for Graph {}

impl Graph {
    /// Takes over what a capture gave, and makes it launchable.
    ///
    /// # Safety
    /// `captured` must be a graph in `context` that nobody else has.
    pub(super) unsafe fn instantiate(
        context: &Context,
        captured: sys::CUgraph,
    ) -> Result<Self, CudaError> {
        // SAFETY: the graph is a live one. Both calls are made whatever the first one says.
        let raw = unsafe { result::graph::instantiate(captured, CUgraphInstantiate_flags(0)) };
        // SAFETY: nobody else has the captured graph, and the executable one does not need it.
        let _was_only_a_template = unsafe { result::graph::destroy(captured) };
        Ok(Self { context: context.clone(), raw: raw.attempt("preparing a graph")? })
    }

    /// Queues the captured work on `stream`.
    ///
    /// # Safety
    /// All memory that the work was captured with must be alive, and stay so until the stream has
    /// passed it. The graph must not be at work on another stream.
    ///
    /// # Errors
    /// When the driver refuses.
    pub unsafe fn launch(&self, stream: &Stream) -> Result<(), CudaError> {
        self.context.bind()?;
        // SAFETY: graph and stream live; the caller answers for the memory.
        unsafe { result::graph::launch(self.raw, stream.handle()) }.attempt("launching a graph")
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({:#x})", self.raw as usize)
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // Where this fails, the next call may still work: its context may be the current one.
        let _the_next_call_tells = self.context.bind();
        // SAFETY: the graph is ended once; the driver allows that while it is at work.
        let _nobody_is_left_to_tell = unsafe { result::graph::exec_destroy(self.raw) };
    }
}
