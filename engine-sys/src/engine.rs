//! Engines and their execution contexts.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use cxx::UniquePtr;

use crate::ffi::bridge;
use crate::{Error, Library};

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    Float,
    /// 16-bit floats of IEEE 754.
    Half,
    /// Anything else, by its value in nvinfer1::DataType.
    Other(i32),
}

/// One input or output of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Whether it is an input.
    pub input: bool,
    /// Its elements' type.
    pub element: Element,
    /// Its shape; -1 stands for a dynamic dimension.
    pub shape: Vec<i64>,
    /// The smallest shape the engine takes; empty for outputs.
    pub min: Vec<i64>,
    /// The shape it was made fast for; empty for outputs.
    pub opt: Vec<i64>,
    /// The largest shape it takes; empty for outputs.
    pub max: Vec<i64>,
}

/// A deserialized engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// Fields are dropped in this order: engine, runtime, library with its logger.
struct Inner {
    raw: UniquePtr<bridge::Engine>,
    _runtime: UniquePtr<bridge::Runtime>,
    library: Library,
    tensors: Vec<TensorInfo>,
    creating: Mutex<()>,
}

// SAFETY: TensorRT's engines may be used from any thread as long as their state is not changed at
// the same time. All that is called after construction is `context_bytes`, which only reads, and
// `create_context`, which `creating` serialises.
unsafe impl Send for bridge::Engine {}
// SAFETY: as for `Send`.
unsafe impl Sync for bridge::Engine {}
// SAFETY: after construction a runtime is only kept alive and then destroyed, by one owner.
unsafe impl Send for bridge::Runtime {}
// SAFETY: as for `Send`.
unsafe impl Sync for bridge::Runtime {}
// SAFETY: a context belongs to one owner and is only used through `&mut`.
unsafe impl Send for bridge::Context {}

impl Engine {
    /// Deserializes an engine. The CUDA context that it shall live in must be current.
    ///
    /// `host_code` permits engines to bring code that runs in this process, which version-compatible
    /// ones do: allow it for files that are trusted as much as a program.
    ///
    /// # Errors
    /// [`Error::Refused`] with TensorRT's reasons.
    pub fn deserialize(library: &Library, plan: &[u8], host_code: bool) -> Result<Self, Error> {
        let runtime = library.check(library.raw().create_runtime(host_code))?;
        let raw = library.check(runtime.deserialize(plan))?;
        let tensors = library.check(raw.tensors())?.into_iter().map(TensorInfo::from).collect();
        let (library, creating) = (library.clone(), Mutex::new(()));
        Ok(Self(Arc::new(Inner { raw, _runtime: runtime, library, tensors, creating })))
    }

    /// Its inputs and outputs; their positions are what an [`ExecutionContext`] counts by.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.0.tensors
    }

    /// Bytes of device memory that each execution context takes.
    pub fn context_bytes(&self) -> u64 {
        u64::try_from(self.0.raw.context_bytes()).unwrap_or(0)
    }

    /// A context to run the engine in, on the current CUDA context.
    ///
    /// # Errors
    /// [`Error::Refused`], for want of device memory most often.
    pub fn create_context(&self) -> Result<ExecutionContext, Error> {
        let _one_at_a_time = self.0.creating.lock().unwrap_or_else(PoisonError::into_inner);
        let raw = self.0.library.check(self.0.raw.create_context())?;
        Ok(ExecutionContext { raw, engine: self.clone() })
    }

    /// The library it was made with.
    pub fn library(&self) -> &Library {
        &self.0.library
    }
}

/// Runs an engine, one batch at a time.
pub struct ExecutionContext {
    // Dropped before the engine.
    raw: UniquePtr<bridge::Context>,
    engine: Engine,
}

impl ExecutionContext {
    /// Sets the shape of the input at `tensor`.
    ///
    /// # Errors
    /// [`Error::Refused`] when the profile does not allow it.
    pub fn set_input_shape(&mut self, tensor: usize, dims: &[i64]) -> Result<(), Error> {
        self.known(tensor)?;
        let done = pinned(&mut self.raw).set_input_shape(tensor, dims);
        self.engine.library().check(done)
    }

    /// Sets where the tensor at `tensor` lies on the device.
    ///
    /// # Safety
    /// `address` must be device memory for the tensor at every shape that is enqueued, until the
    /// context is dropped or is given another address, and no enqueued work may still use the one
    /// before.
    ///
    /// # Errors
    /// [`Error::Refused`] when the address is misaligned.
    pub unsafe fn set_tensor_address(&mut self, tensor: usize, address: u64) -> Result<(), Error> {
        self.known(tensor)?;
        // SAFETY: the caller's promise is the one that is asked for.
        let done = unsafe { pinned(&mut self.raw).set_tensor_address(tensor, address as usize) };
        self.engine.library().check(done)
    }

    /// Puts one run of the network on `stream`, a `CUstream`. Returns before it has run.
    ///
    /// # Safety
    /// `stream` must be a live stream of the current CUDA context, which is the one the engine was
    /// deserialized in. Inputs and outputs must be left alone by all others, and nothing else may be
    /// enqueued with this context on another stream, until the stream has passed the work.
    ///
    /// # Errors
    /// [`Error::Refused`] when shapes or addresses are missing, or the launch fails.
    pub unsafe fn enqueue(&mut self, stream: usize) -> Result<(), Error> {
        // SAFETY: the caller's promise is the one that is asked for.
        let done = unsafe { pinned(&mut self.raw).enqueue(stream) };
        self.engine.library().check(done)
    }

    /// The engine it runs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn known(&self, tensor: usize) -> Result<(), Error> {
        let count = self.engine.tensors().len();
        if tensor < count {
            return Ok(());
        }
        Err(Error::Refused {
            flavour: self.engine.library().flavour(),
            attempt: format!("tensor {tensor} was asked for, and the engine has {count}"),
            log: Vec::new(),
        })
    }
}

/// Contexts come out of [`Engine::create_context`], which refuses null.
fn pinned(context: &mut UniquePtr<bridge::Context>) -> Pin<&mut bridge::Context> {
    context.pin_mut()
}

impl From<bridge::Tensor> for TensorInfo {
    fn from(tensor: bridge::Tensor) -> Self {
        let bridge::Tensor { name, input, element, shape, min, opt, max } = tensor;
        // The two values are the same in all header sets; the shim asserts it.
        let element = match element {
            0 => Element::Float,
            1 => Element::Half,
            other => Element::Other(other),
        };
        Self { name, input, element, shape, min, opt, max }
    }
}
