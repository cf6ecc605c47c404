//! Memory that starts on a cache line.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector register.
pub(super) const CACHE_LINE: usize = 64;

/// A zeroed buffer whose first element is aligned to [`CACHE_LINE`].
#[derive(Debug)]
pub(super) struct AlignedBuffer<T> {
    memory: Box<[T]>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> AlignedBuffer<T> {
    pub(super) fn new(len: usize) -> Self {
        let slack = CACHE_LINE / size_of::<T>();
        let memory = vec![T::default(); len + slack].into_boxed_slice();
        // Misaligned memory is slower, not wrong, so the offset need not be the promised one.
        let start = memory.as_ptr().align_offset(CACHE_LINE).min(slack);
        Self { memory, start, len }
    }
}

impl<T> Deref for AlignedBuffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for AlignedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_cache_line() {
        let bytes = AlignedBuffer::<u8>::new(100);
        let shorts = AlignedBuffer::<i16>::new(7);
        assert_eq!((bytes.len(), bytes.as_ptr() as usize % CACHE_LINE), (100, 0));
        assert_eq!((shorts.len(), shorts.as_ptr() as usize % CACHE_LINE), (7, 0));
    }
}
