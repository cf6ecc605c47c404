//! A fixed number of recycled byte buffers.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};

use super::Size;

/// The pool was closed while somebody waited for a buffer.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the buffer pool was closed")]
pub struct Closed;

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
    pub fn new(count: usize, bytes: usize) -> Self {
        let (home, empty) = bounded(count);
        for _ in 0..count {
            // Room for exactly `count` buffers was just made and the receiver is alive.
            let sent = home.try_send(vec![0; bytes].into_boxed_slice());
            debug_assert!(sent.is_ok());
        }
        let (open, closed) = bounded(0);
        Self {
            shared: Arc::new(Shared {
                empty,
                home,
                closed,
                open: Mutex::new(Some(open)),
                count,
                bytes,
            }),
        }
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
        let pool = BufferPool::new(1, 8);
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
        let pool = BufferPool::new(1, 8);
        let held = pool.take().unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take().map(drop));
            pool.close();
            assert_eq!(waiter.join().unwrap(), Err(Closed));
        });
        assert_eq!(held.len(), 8);
    }

    #[test]
    fn buffers_outlive_their_pool() {
        let pool = BufferPool::new(2, 4);
        let mut held = pool.take().unwrap();
        drop(pool);
        held.fill(9);
        assert_eq!(&held[..], &[9; 4]);
    }
}
