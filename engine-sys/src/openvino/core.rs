//! Networks, read and compiled.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::sync::Arc;

use openvino_sys::{
    ov_compiled_model_create_infer_request, ov_compiled_model_free, ov_compiled_model_t,
    ov_core_compile_model, ov_core_create, ov_core_free, ov_core_get_property,
    ov_core_read_model_from_memory_buffer, ov_core_set_property, ov_core_t, ov_infer_request_t,
    ov_model_free, ov_model_reshape, ov_model_t, ov_partial_shape_create_static,
    ov_partial_shape_free, ov_partial_shape_t, ov_rank_t,
};

use super::call::{check, made, owned_text};
use super::{OpenVino, OpenVinoError};

/// The processor, as OpenVINO calls it.
const DEVICE: &CStr = c"CPU";

/// What reads networks and compiles them for the processor, with settings of its own.
pub struct Core {
    raw: NonNull<ov_core_t>,
    library: OpenVino,
}

// SAFETY: a core may be used from any thread.
unsafe impl Send for Core {}

impl Core {
    /// A core with OpenVINO's own settings.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(library: &OpenVino) -> Result<Self, OpenVinoError> {
        let mut core = std::ptr::null_mut();
        // SAFETY: the library is loaded; the pointer is written.
        let status = unsafe { ov_core_create(&raw mut core) };
        let raw = made(status, core, "starting")?;
        Ok(Self { raw, library: library.clone() })
    }

    /// The library.
    pub fn library(&self) -> &OpenVino {
        &self.library
    }

    /// What the processor's plugin says about `key`, such as `OPTIMIZATION_CAPABILITIES`.
    ///
    /// # Errors
    /// When there is no plugin for the processor, or it does not know the key.
    pub fn property(&self, key: &CStr) -> Result<String, OpenVinoError> {
        let mut text = std::ptr::null_mut();
        // SAFETY: the core is there; both texts end in a zero; the pointer is written.
        let status = unsafe {
            ov_core_get_property(self.raw.as_ptr(), DEVICE.as_ptr(), key.as_ptr(), &raw mut text)
        };
        check(status, "asking about the processor")?;
        // SAFETY: the text was made for this call.
        Ok(unsafe { owned_text(text) }.unwrap_or_default())
    }

    /// Sets what networks are compiled with from now on.
    ///
    /// # Errors
    /// When the plugin does not know the key or does not take the value.
    pub fn set(&mut self, key: &CStr, value: &str) -> Result<(), OpenVinoError> {
        let attempt = "setting how the network is to run";
        let value = CString::new(value)
            .map_err(|error| OpenVinoError::Refused { attempt, reason: error.to_string() })?;
        // SAFETY: the core is there; all texts end in a zero and are copied.
        let status = unsafe {
            ov_core_set_property(self.raw.as_ptr(), DEVICE.as_ptr(), key.as_ptr(), value.as_ptr())
        };
        check(status, attempt)
    }

    /// Reads a network from the bytes of an ONNX file.
    ///
    /// # Errors
    /// When they are not one that OpenVINO knows.
    pub fn read(&self, model: &[u8]) -> Result<Network, OpenVinoError> {
        let mut network = std::ptr::null_mut();
        // SAFETY: the core is there; the bytes are copied; there are no weights beside them.
        let status = unsafe {
            ov_core_read_model_from_memory_buffer(
                self.raw.as_ptr(),
                model.as_ptr().cast(),
                model.len(),
                std::ptr::null(),
                &raw mut network,
            )
        };
        Ok(Network { raw: made(status, network, "reading the network")? })
    }

    /// Compiles a network for the processor.
    ///
    /// # Errors
    /// When OpenVINO cannot.
    pub fn compile(&self, network: &Network) -> Result<Compiled, OpenVinoError> {
        let mut compiled = std::ptr::null_mut();
        // SAFETY: core and network are there; no properties follow, which is what 0 says.
        let status = unsafe {
            ov_core_compile_model(
                self.raw.as_ptr(),
                network.raw.as_ptr(),
                DEVICE.as_ptr(),
                0,
                &raw mut compiled,
            )
        };
        let raw = made(status, compiled, "compiling the network")?;
        Ok(Compiled(Arc::new(Inner { raw, _library: self.library.clone() })))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once; networks and what is compiled hold what
        // they need of it themselves.
        unsafe { ov_core_free(self.raw.as_ptr()) }
    }
}

/// A network that was read.
pub struct Network {
    raw: NonNull<ov_model_t>,
}

// SAFETY: it belongs to one owner.
unsafe impl Send for Network {}

impl Network {
    /// Gives inputs fixed shapes.
    ///
    /// # Errors
    /// When there is no such input, or the network cannot be of these shapes.
    pub fn reshape<const N: usize>(
        &mut self,
        shapes: [(&CStr, [usize; 4]); N],
    ) -> Result<(), OpenVinoError> {
        let mut names = shapes.map(|(name, _)| name.as_ptr());
        let mut owned = Vec::with_capacity(N);
        for (_, shape) in shapes {
            owned.push(PartialShape::new(shape)?);
        }
        let raw: Vec<ov_partial_shape_t> = owned.iter().map(|shape| shape.0).collect();
        // SAFETY: there are N names, which end in a zero, and N shapes, which live until `owned`
        // goes.
        let status = unsafe {
            ov_model_reshape(self.raw.as_ptr(), names.as_mut_ptr(), raw.as_ptr(), raw.len())
        };
        check(status, "fixing the network's batch")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // SAFETY: it was made by a core and is freed once.
        unsafe { ov_model_free(self.raw.as_ptr()) }
    }
}

/// A shape without unknown sizes, of the kind that networks have.
struct PartialShape(ov_partial_shape_t);

impl PartialShape {
    fn new(dims: [usize; 4]) -> Result<Self, OpenVinoError> {
        let dims = dims.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        let rank = ov_rank_t { min: 0, max: 0 };
        let mut shape = ov_partial_shape_t { rank, dims: std::ptr::null_mut() };
        // SAFETY: there are four sizes; the struct is written.
        let status = unsafe { ov_partial_shape_create_static(4, dims.as_ptr(), &raw mut shape) };
        check(status, "making a shape")?;
        Ok(Self(shape))
    }
}

impl Drop for PartialShape {
    fn drop(&mut self) {
        // SAFETY: it was made by `ov_partial_shape_create_static` and is freed once.
        unsafe { ov_partial_shape_free(&raw mut self.0) }
    }
}

/// A compiled network. Clones are the same.
#[derive(Clone)]
pub struct Compiled(Arc<Inner>);

struct Inner {
    raw: NonNull<ov_compiled_model_t>,
    _library: OpenVino,
}

// SAFETY: all that is called after it was made is `create_infer_request`, which may be called from
// any thread.
unsafe impl Send for Inner {}
// SAFETY: as for `Send`.
unsafe impl Sync for Inner {}

impl Compiled {
    pub(super) fn request(&self) -> Result<NonNull<ov_infer_request_t>, OpenVinoError> {
        let mut request = std::ptr::null_mut();
        // SAFETY: the compiled network is there; the pointer is written.
        let status = unsafe {
            ov_compiled_model_create_infer_request(self.0.raw.as_ptr(), &raw mut request)
        };
        made(status, request, "preparing to run the network")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: it was made by a core and is freed once.
        unsafe { ov_compiled_model_free(self.raw.as_ptr()) }
    }
}
