//! Marks in a stream: reached or not, and when.

use std::fmt;

use cudarc::driver::sys::{self, CUevent_flags, CUevent_record_flags, CUresult};
use cudarc::driver::{DriverError, result};

use super::error::Attempt;
use super::{Context, CudaError, Stream};

/// A mark in a stream, with the device's time. Waiting for one leaves the CPU free.
pub struct Event {
    context: Context,
    raw: sys::CUevent,
}

// SAFETY: the driver's functions may be called from any thread with any event, and lock it.
unsafe impl Send for Event {}
// SAFETY: as for `Send`.
unsafe impl Sync for Event {}

impl Event {
    /// An event that has not been recorded.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn new(context: &Context) -> Result<Self, CudaError> {
        context.bind()?;
        let flags = CUevent_flags::CU_EVENT_BLOCKING_SYNC;
        let raw = result::event::create(flags).attempt("creating an event")?;
        Ok(Self { context: context.clone(), raw })
    }

    /// Marks the end of what is queued on `stream` now. Forgets an earlier mark.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn record(&self, stream: &Stream) -> Result<(), CudaError> {
        self.context.bind()?;
        // SAFETY: event and stream live.
        unsafe { result::event::record(self.raw, stream.handle()) }.attempt("recording an event")
    }

    /// The same on a stream whose work is being captured: the mark is renewed whenever the graph
    /// runs.
    ///
    /// # Errors
    /// When the driver refuses, as it does where nothing is captured.
    pub fn record_in_graph(&self, stream: &Stream) -> Result<(), CudaError> {
        self.context.bind()?;
        let flags = CUevent_record_flags::CU_EVENT_RECORD_EXTERNAL as u32;
        // SAFETY: event and stream live.
        unsafe { sys::cuEventRecordWithFlags(self.raw, stream.handle(), flags) }
            .result()
            .attempt("recording an event in a graph")
    }

    /// Waits until the mark is reached; not at all when there is none.
    ///
    /// # Errors
    /// When the driver refuses, or work before the mark failed.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.context.bind()?;
        // SAFETY: the event lives.
        unsafe { result::event::synchronize(self.raw) }.attempt("waiting for an event")
    }

    /// Whether the mark is reached; true when there is none.
    ///
    /// # Errors
    /// When the driver refuses, or work before the mark failed.
    pub fn is_done(&self) -> Result<bool, CudaError> {
        self.context.bind()?;
        // SAFETY: the event lives.
        match unsafe { result::event::query(self.raw) } {
            Err(DriverError(CUresult::CUDA_ERROR_NOT_READY)) => Ok(false),
            other => other.attempt("asking for an event").map(|()| true),
        }
    }

    /// The driver's handle.
    pub(super) fn handle(&self) -> sys::CUevent {
        self.raw
    }

    /// Milliseconds on the device from `start` to `end`, which must both be reached.
    ///
    /// # Errors
    /// When one of them is not reached, or never recorded.
    pub fn elapsed_ms(start: &Self, end: &Self) -> Result<f32, CudaError> {
        start.context.bind()?;
        // SAFETY: both events live.
        unsafe { result::event::elapsed(start.raw, end.raw) }
            .attempt("reading the time between two events")
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({:#x})", self.raw as usize)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // Where this fails, the next call may still work: its context may be the current one.
        let _the_next_call_tells = self.context.bind();
        // SAFETY: the event is ended once; the driver allows that before its mark is reached.
        let _nobody_is_left_to_tell = unsafe { result::event::destroy(self.raw) };
    }
}
