//! Host memory for tensors.

use std::ops::{Deref, DerefMut};

use crate::frame::OutOfMemory;

/// Floats on the heap, aligned to a cache line so that no vector access straddles two.
#[derive(Debug)]
pub struct HostBuffer {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl HostBuffer {
    const ALIGNMENT: usize = 64;

    /// `len` zeros.
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
        Ok(Self { data, start, len })
    }
}

impl Deref for HostBuffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for HostBuffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
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
