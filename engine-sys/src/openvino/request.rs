//! Running a compiled network, without waiting for it.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use openvino_sys::{
    ov_callback_t, ov_infer_request_cancel, ov_infer_request_free, ov_infer_request_set_callback,
    ov_infer_request_set_tensor, ov_infer_request_start_async, ov_infer_request_t,
    ov_infer_request_wait,
};

use super::call::check;
use super::{Compiled, OpenVinoError, Tensors};

/// The names of a network's inputs and of its output.
#[derive(Clone, Copy, Debug)]
pub struct Bindings {
    /// The inputs.
    pub inputs: [&'static CStr; 2],
    /// The output.
    pub output: &'static CStr,
}

/// What a network reads and writes: as many tensors of each as it runs times.
#[derive(Debug)]
pub struct Buffers {
    /// The inputs, in the order of [`Bindings::inputs`].
    pub inputs: [Tensors; 2],
    /// The output.
    pub output: Tensors,
}

/// Runs of a network that were started together. They own what they read and write until they have
/// been waited for, so that nobody can look at it too early.
pub struct Requests {
    bindings: Bindings,
    /// Freed first, which waits for what still runs.
    requests: Vec<Request>,
    /// How many of them run.
    running: usize,
    buffers: Option<Buffers>,
    compiled: Compiled,
}

impl Requests {
    /// Room for runs of `compiled`; requests are made as they are needed and kept.
    pub fn new(compiled: &Compiled, bindings: Bindings) -> Self {
        let compiled = compiled.clone();
        Self { bindings, requests: Vec::new(), running: 0, buffers: None, compiled }
    }

    /// Whether runs have been started and not been waited for.
    pub fn is_busy(&self) -> bool {
        self.buffers.is_some()
    }

    /// Checks that the network takes tensors such as those in `buffers`.
    ///
    /// # Errors
    /// OpenVINO's words where it does not.
    pub fn check(&mut self, buffers: &mut Buffers) -> Result<(), OpenVinoError> {
        self.prepare(1)?;
        self.bind(0, buffers)
    }

    /// Starts `count` runs, each on the next tensor of each buffer, and returns at once. Must not
    /// be called while there are [runs](Self::is_busy).
    ///
    /// # Errors
    /// When OpenVINO refuses; none runs then, and the buffers are gone.
    ///
    /// # Panics
    /// When there are runs, or fewer tensors than `count`.
    pub fn start(&mut self, mut buffers: Buffers, count: usize) -> Result<(), OpenVinoError> {
        assert!(!self.is_busy(), "the runs before these were not waited for");
        let fits = |tensors: &Tensors| tensors.count() >= count;
        assert!(buffers.inputs.iter().all(fits) && fits(&buffers.output), "too few tensors");
        self.prepare(count)?;
        for index in 0..count {
            let started =
                self.bind(index, &mut buffers).and_then(|()| self.requests[index].start());
            if let Err(error) = started {
                self.end();
                return Err(error);
            }
            self.running += 1;
        }
        self.buffers = Some(buffers);
        Ok(())
    }

    /// Waits for the runs. Gives their buffers back, and the instant at which the last one was done.
    /// `None` where there are no runs.
    ///
    /// # Errors
    /// When one of them failed; the buffers are gone then.
    pub fn wait(&mut self) -> Result<Option<(Buffers, Instant)>, OpenVinoError> {
        let Some(buffers) = self.buffers.take() else { return Ok(None) };
        let mut end = None;
        let mut failed = None;
        for request in &mut self.requests[..self.running] {
            match request.wait() {
                Ok(done) => end = end.max(Some(done)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.running = 0;
        match failed {
            Some(error) => Err(error),
            None => Ok(Some((buffers, end.unwrap_or_else(Instant::now)))),
        }
    }

    fn prepare(&mut self, count: usize) -> Result<(), OpenVinoError> {
        while self.requests.len() < count {
            self.requests.push(Request::new(&self.compiled)?);
        }
        Ok(())
    }

    fn bind(&mut self, index: usize, buffers: &mut Buffers) -> Result<(), OpenVinoError> {
        let Buffers { inputs: [first, second], output } = buffers;
        let [first_name, second_name] = self.bindings.inputs;
        let tensors = [(first_name, first), (second_name, second), (self.bindings.output, output)];
        for (name, tensors) in tensors {
            self.requests[index].bind(name, tensors, index)?;
        }
        Ok(())
    }

    /// Ends what runs.
    fn end(&mut self) {
        let running = &mut self.requests[..self.running];
        running.iter_mut().for_each(Request::cancel);
        // That one failed is known already, or does not matter.
        running.iter_mut().for_each(|request| drop(request.wait()));
        self.running = 0;
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.end();
    }
}

/// One run.
struct Request {
    raw: NonNull<ov_infer_request_t>,
    /// Where its callback notes when it was done.
    done: Box<Done>,
    /// The callback, which OpenVINO reads again at every run.
    callback: Box<ov_callback_t>,
}

struct Done {
    epoch: Instant,
    /// Nanoseconds since the epoch.
    at: AtomicU64,
}

// SAFETY: a request belongs to one owner and is only used through `&mut`.
unsafe impl Send for Request {}

/// OpenVINO calls this on a thread of its own once a run is done.
unsafe extern "C" fn note(done: *mut c_void) {
    // SAFETY: it is the `Done` of the request that has just run, which is freed before it.
    let done = unsafe { &*done.cast::<Done>() };
    let nanoseconds = u64::try_from(done.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
    done.at.store(nanoseconds, Ordering::Release);
}

impl Request {
    fn new(compiled: &Compiled) -> Result<Self, OpenVinoError> {
        let done = Box::new(Done { epoch: Instant::now(), at: AtomicU64::new(0) });
        let args = (&raw const *done).cast_mut().cast();
        let callback = Box::new(ov_callback_t { callback_func: Some(note), args });
        let request = Self { raw: compiled.request()?, done, callback };
        // SAFETY: the request is there; the callback and what it is given stay where they are until
        // the request is freed.
        let status = unsafe {
            ov_infer_request_set_callback(request.raw.as_ptr(), &raw const *request.callback)
        };
        check(status, "preparing to run the network")?;
        Ok(request)
    }

    fn bind(
        &mut self,
        name: &CStr,
        tensors: &mut Tensors,
        index: usize,
    ) -> Result<(), OpenVinoError> {
        let tensor = tensors.view(index);
        // SAFETY: request and tensor are there; the name ends in a zero. The memory behind the
        // tensor is touched while the request runs, and `Requests` has it then.
        let status = unsafe {
            ov_infer_request_set_tensor(self.raw.as_ptr(), name.as_ptr(), tensor.as_ptr())
        };
        check(status, "taking the network's inputs and output")
    }

    fn start(&mut self) -> Result<(), OpenVinoError> {
        // SAFETY: the request is there, and what is bound to it stays until it was waited for.
        check(unsafe { ov_infer_request_start_async(self.raw.as_ptr()) }, "starting the network")
    }

    fn wait(&mut self) -> Result<Instant, OpenVinoError> {
        // SAFETY: the request is there.
        check(unsafe { ov_infer_request_wait(self.raw.as_ptr()) }, "running the network")?;
        let nanoseconds = self.done.at.load(Ordering::Acquire);
        Ok(self.done.epoch + Duration::from_nanos(nanoseconds))
    }

    fn cancel(&mut self) {
        // SAFETY: the request is there. Where it cannot be cancelled, it is waited for.
        let _it_is_waited_for = unsafe { ov_infer_request_cancel(self.raw.as_ptr()) };
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once; it does not run.
        unsafe { ov_infer_request_free(self.raw.as_ptr()) }
    }
}
