//! Host memory for tensors.

use std::ops::{Deref, DerefMut};

#[cfg(feature = "openvino")]
use engine_sys::openvino::Tensors;

#[cfg(feature = "cuda")]
use crate::cuda::PinnedBuffer;
use crate::frame::OutOfMemory;

/// Floats in memory that suits whoever reads them next: on the heap, pinned for a GPU, or
/// where OpenVINO's tensors are. Aligned to a cache line so that no vector access straddles two.
#[derive(Debug)]
pub struct HostBuffer {
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Heap {
        data: Vec<f32>,
        start: usize,
        len: usize,
    },
    /// Starts on a page.
    #[cfg(feature = "cuda")]
    Pinned(PinnedBuffer),
    #[cfg(feature = "openvino")]
    Tensors(Tensors),
}

impl HostBuffer {
    const ALIGNMENT: usize = 64;

    /// `len` zeros on the heap.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the system refuses.
    pub fn zeroed(len: usize) -> Result<Self, OutOfMemory> {
        let slack = Self::ALIGNMENT / size_of::<f32>();
        let padded = len.saturating_add(slack);
        let mut data = Vec::new();
        let refused = |_| OutOfMemory { count: 1, bytes: padded.saturating_mul(size_of::<f32>()) };
        data.try_reserve_exact(padded).map_err(refused)?;
        data.resize(padded, 0.0_f32);
        let start = data.as_ptr().align_offset(Self::ALIGNMENT).min(slack);
        Ok(Self { memory: Memory::Heap { data, start, len } })
    }

    /// No floats, and no memory for any.
    pub const fn empty() -> Self {
        Self { memory: Memory::Heap { data: Vec::new(), start: 0, len: 0 } }
    }

    /// Floats in pinned memory.
    #[cfg(feature = "cuda")]
    pub const fn pinned(buffer: PinnedBuffer) -> Self {
        Self { memory: Memory::Pinned(buffer) }
    }

    /// Floats that OpenVINO computes with.
    #[cfg(feature = "openvino")]
    pub const fn tensors(tensors: Tensors) -> Self {
        Self { memory: Memory::Tensors(tensors) }
    }

    /// The tensors, or the buffer itself where there are none.
    ///
    /// # Errors
    /// The buffer, unchanged, where its memory is another.
    #[cfg(feature = "openvino")]
    pub fn into_tensors(self) -> Result<Tensors, Self> {
        match self.memory {
            Memory::Tensors(tensors) => Ok(tensors),
            memory => Err(Self { memory }),
        }
    }

    /// The pinned memory, or the buffer itself where it is not pinned.
    ///
    /// # Errors
    /// The buffer, unchanged, where it is not pinned.
    #[cfg(feature = "cuda")]
    pub fn into_pinned(self) -> Result<PinnedBuffer, Self> {
        match self.memory {
            Memory::Pinned(buffer) => Ok(buffer),
            memory => Err(Self { memory }),
        }
    }

    /// The bytes of the floats.
    pub fn as_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }

    /// Whether the memory is pinned.
    pub const fn is_pinned(&self) -> bool {
        match self.memory {
            #[cfg(feature = "cuda")]
            Memory::Pinned(_) => true,
            _ => false,
        }
    }
}

impl Deref for HostBuffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match &self.memory {
            Memory::Heap { data, start, len } => &data[*start..*start + *len],
            #[cfg(feature = "cuda")]
            Memory::Pinned(buffer) => buffer,
            #[cfg(feature = "openvino")]
            Memory::Tensors(tensors) => tensors,
        }
    }
}

impl DerefMut for HostBuffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.memory {
            Memory::Heap { data, start, len } => &mut data[*start..*start + *len],
            #[cfg(feature = "cuda")]
            Memory::Pinned(buffer) => buffer,
            #[cfg(feature = "openvino")]
            Memory::Tensors(tensors) => tensors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_cache_line() {
        for len in [0, 1, 17, 8192] {
            let buffer = HostBuffer::zeroed(len).unwrap();
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr() as usize % 64, 0);
        }
    }
}
