//! A fixed number of recycled byte buffers.

use std::collections::TryReserveError;
use std::fmt;
use std::hint::black_box;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};

use super::Size;

/// The pool was closed while somebody waited for a buffer.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the buffer pool was closed")]
pub struct Closed;

/// The system has not the memory for a buffer.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot allocate {count} x {bytes} bytes; use a smaller --batch or smaller frames")]
pub struct OutOfMemory {
    /// How many buffers were wanted.
    pub count: usize,
    /// Bytes in each.
    pub bytes: usize,
}

/// `bytes` zeros that the system backs with memory when they are first written.
pub(crate) fn zeroed(bytes: usize) -> Result<Vec<u8>, TryReserveError> {
    // Only a vector that is made of zeros gets untouched memory, and only a reservation can fail
    // without ending the process. So one is made on trial first; the optimiser would drop it if
    // nobody looked at it.
    let mut trial = Vec::<u8>::new();
    trial.try_reserve_exact(bytes)?;
    drop(black_box(trial));
    Ok(vec![0; bytes])
}

/// A fixed number of byte buffers of one size.
///
/// [`take`](Self::take) waits for an empty one; dropping a [`PooledBuffer`] gives it back. Neither
/// allocates. Buffers that are out when the pool goes away stay valid and are freed on drop.
#[derive(Clone)]
pub struct BufferPool {
    shared: Arc<Shared>,
}

struct Shared {
    empty: Receiver<Box<[u8]>>,
    home: Sender<Box<[u8]>>,
    closed: Receiver<()>,
    /// Dropping it disconnects `closed`, which wakes everyone who waits.
    open: Mutex<Option<Sender<()>>>,
    count: usize,
    bytes: usize,
}

impl BufferPool {
    /// A pool of `count` zeroed buffers of `bytes` bytes. The operating system backs a buffer with
    /// memory when it is first written.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the system refuses.
    pub fn new(count: usize, bytes: usize) -> Result<Self, OutOfMemory> {
        let (home, empty) = bounded(count);
        for _ in 0..count {
            let data = zeroed(bytes).map_err(|_| OutOfMemory { count, bytes })?;
            // Room for exactly `count` buffers was just made and the receiver is alive.
            let sent = home.try_send(data.into_boxed_slice());
            debug_assert!(sent.is_ok());
        }
        // Nothing is ever sent; to wait on a channel without room would allocate.
        let (open, closed) = bounded(1);
        Ok(Self {
            shared: Arc::new(Shared {
                empty,
                home,
                closed,
                open: Mutex::new(Some(open)),
                count,
                bytes,
            }),
        })
    }

    /// Number of buffers, in use or not.
    pub fn count(&self) -> usize {
        self.shared.count
    }

    /// Size of each buffer in bytes.
    pub fn buffer_bytes(&self) -> usize {
        self.shared.bytes
    }

    /// Buffers that are free right now.
    pub fn available(&self) -> usize {
        self.shared.empty.len()
    }

    /// Waits for a buffer. Its contents are whatever its last user left.
    ///
    /// # Errors
    /// [`Closed`] once [`close`](Self::close) has been called, also while waiting.
    pub fn take(&self) -> Result<PooledBuffer, Closed> {
        select_biased! {
            recv(self.shared.closed) -> _ => Err(Closed),
            recv(self.shared.empty) -> data => match data {
                Ok(data) => Ok(self.wrap(data)),
                Err(_) => Err(Closed),
            },
        }
    }

    /// A buffer if one is free now.
    pub fn try_take(&self) -> Option<PooledBuffer> {
        self.shared.empty.try_recv().ok().map(|data| self.wrap(data))
    }

    /// Makes every present and future [`take`](Self::take) fail. Buffers that are out stay valid.
    pub fn close(&self) {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn wrap(&self, data: Box<[u8]>) -> PooledBuffer {
        PooledBuffer { data, home: self.shared.home.clone() }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool")
            .field("count", &self.count())
            .field("bytes", &self.buffer_bytes())
            .field("available", &self.available())
            .finish()
    }
}

/// An owned buffer that returns to its pool when dropped.
pub struct PooledBuffer {
    data: Box<[u8]>,
    home: Sender<Box<[u8]>>,
}

impl Deref for PooledBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.data
    }
}

impl DerefMut for PooledBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        // The channel has room for every buffer of the pool. It refuses only when the pool is
        // gone, and then the buffer is freed here. An empty box costs no allocation.
        let _freed_if_refused = self.home.try_send(std::mem::take(&mut self.data));
    }
}

impl fmt::Debug for PooledBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PooledBuffer({} bytes)", self.data.len())
    }
}

/// A finished frame on its way to a sink: packed BGR rows, owned until dropped.
#[derive(Debug)]
pub struct OutputFrame {
    /// Position in the output, from 0.
    pub index: u64,
    /// Width and height in pixels.
    pub size: Size,
    /// `size.bytes()` bytes.
    pub pixels: PooledBuffer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_returns_the_same_memory() {
        let pool = BufferPool::new(1, 8).unwrap();
        let mut first = pool.take().unwrap();
        first[3] = 7;
        let address = first.as_ptr();
        assert_eq!(pool.available(), 0);
        assert!(pool.try_take().is_none());
        drop(first);
        let again = pool.take().unwrap();
        assert_eq!((again.as_ptr(), again[3]), (address, 7));
    }

    #[test]
    fn closing_wakes_a_waiter() {
        let pool = BufferPool::new(1, 8).unwrap();
        let held = pool.take().unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take().map(drop));
            pool.close();
            assert_eq!(waiter.join().unwrap(), Err(Closed));
        });
        assert_eq!(held.len(), 8);
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        let refused = BufferPool::new(2, usize::MAX / 4).err();
        assert_eq!(refused, Some(OutOfMemory { count: 2, bytes: usize::MAX / 4 }));
    }

    #[test]
    fn buffers_outlive_their_pool() {
        let pool = BufferPool::new(2, 4).unwrap();
        let mut held = pool.take().unwrap();
        drop(pool);
        held.fill(9);
        assert_eq!(&held[..], &[9; 4]);
    }
}
