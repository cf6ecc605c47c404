//! Floats that OpenVINO reads and writes where they lie.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use openvino_sys::{
    ov_element_type_e, ov_shape_create, ov_shape_free, ov_shape_t, ov_tensor_create_from_host_ptr,
    ov_tensor_free, ov_tensor_t,
};

use super::call::{check, made};
use super::{OpenVino, OpenVinoError};

/// Tensors of one shape in one piece of memory, one behind the other, which is a slice of floats
/// while no request works on them. Aligned to a cache line.
pub struct Tensors {
    /// Views of the memory, freed before it.
    views: Box<[NonNull<ov_tensor_t>]>,
    memory: Memory,
}

// SAFETY: the memory belongs to this value alone, and the views are only handed to OpenVINO through
// `&mut`, by `Requests`, which owns the value until OpenVINO is done.
unsafe impl Send for Tensors {}
// SAFETY: through `&` the floats can be read, and nothing else.
unsafe impl Sync for Tensors {}

impl Tensors {
    /// `count` tensors of `shape`, all zeros.
    ///
    /// # Errors
    /// When there is no memory for them, or OpenVINO refuses.
    pub fn zeroed(
        _library: &OpenVino,
        shape: [usize; 4],
        count: usize,
    ) -> Result<Self, OpenVinoError> {
        let too_large = OpenVinoError::Memory { bytes: usize::MAX };
        let len = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        let len = len.ok_or(too_large.clone())?;
        let memory = Memory::zeroed(len.checked_mul(count).ok_or(too_large)?)?;
        let mut views = Views(Vec::with_capacity(count));
        let shape = Shape::new(shape)?;
        for index in 0..count {
            let mut view = std::ptr::null_mut();
            // SAFETY: the memory has `count` times `len` floats, and outlives the view.
            let status = unsafe {
                let start = memory.start.as_ptr().add(index * len);
                let element = ov_element_type_e::F32;
                ov_tensor_create_from_host_ptr(element, shape.0, start.cast(), &raw mut view)
            };
            views.0.push(made(status, view, "making a tensor")?);
        }
        let views = std::mem::take(&mut views.0).into_boxed_slice();
        Ok(Self { views, memory })
    }

    /// How many tensors there are.
    pub fn count(&self) -> usize {
        self.views.len()
    }

    pub(super) fn view(&mut self, index: usize) -> NonNull<ov_tensor_t> {
        self.views[index]
    }
}

impl Deref for Tensors {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: the memory has that many floats, zeroed at first; OpenVINO does not touch them
        // while this value is not inside `Requests`.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr(), self.memory.len) }
    }
}

impl DerefMut for Tensors {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `&mut self` says that nobody else reads them.
        unsafe { std::slice::from_raw_parts_mut(self.memory.start.as_ptr(), self.memory.len) }
    }
}

impl fmt::Debug for Tensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensors({} of {} floats)", self.views.len(), self.memory.len)
    }
}

impl Drop for Tensors {
    fn drop(&mut self) {
        drop(Views(std::mem::take(&mut self.views).into_vec()));
    }
}

/// Views that are freed when this is dropped.
struct Views(Vec<NonNull<ov_tensor_t>>);

impl Drop for Views {
    fn drop(&mut self) {
        for view in &self.0 {
            // SAFETY: each was made in `zeroed` and is freed once. It does not touch the memory.
            unsafe { ov_tensor_free(view.as_ptr()) }
        }
    }
}

/// Floats on the heap that are only reached through a pointer, so that views stay valid.
struct Memory {
    start: NonNull<f32>,
    len: usize,
}

impl Memory {
    const ALIGNMENT: usize = 64;

    fn zeroed(len: usize) -> Result<Self, OpenVinoError> {
        let refused = || OpenVinoError::Memory { bytes: len.saturating_mul(size_of::<f32>()) };
        let layout = Self::layout(len).ok_or_else(refused)?;
        // SAFETY: the layout is of one float or more.
        let start = unsafe { alloc_zeroed(layout) };
        Ok(Self { start: NonNull::new(start.cast()).ok_or_else(refused)?, len })
    }

    /// Never of nothing.
    fn layout(len: usize) -> Option<Layout> {
        let bytes = len.max(1).checked_mul(size_of::<f32>())?;
        Layout::from_size_align(bytes, Self::ALIGNMENT).ok()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let Some(layout) = Self::layout(self.len) else { return };
        // SAFETY: it was allocated with that layout, and is freed once.
        unsafe { dealloc(self.start.as_ptr().cast(), layout) }
    }
}

/// A shape as OpenVINO keeps it.
struct Shape(ov_shape_t);

impl Shape {
    fn new(dims: [usize; 4]) -> Result<Self, OpenVinoError> {
        let mut shape = ov_shape_t { rank: 0, dims: std::ptr::null_mut() };
        let dims = dims.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        // SAFETY: there are four sizes; the struct is written.
        let status = unsafe { ov_shape_create(4, dims.as_ptr(), &raw mut shape) };
        check(status, "making a shape")?;
        Ok(Self(shape))
    }
}

impl Drop for Shape {
    fn drop(&mut self) {
        // SAFETY: it was made by `ov_shape_create` and is freed once.
        unsafe { ov_shape_free(&raw mut self.0) };
    }
}
