//! Frames that the host holds.
//!
//! There is a fixed number of handles, made beforehand: taking one allocates nothing, and when none
//! is left the host holds as many frames as it may.

use crossbeam_channel::{Receiver, Sender, bounded};
use engine::frame::OutputFrame;

/// engine_frame: a frame that the host holds.
#[derive(Debug)]
pub struct Held {
    /// `None` while nobody holds it.
    frame: Option<OutputFrame>,
    seconds: f64,
    /// Where it goes back to while it is out; handles that are home do not keep each other alive.
    home: Option<Sender<Box<Held>>>,
}

/// The handles that are not out.
#[derive(Debug)]
pub(crate) struct HeldFrames {
    free: Receiver<Box<Held>>,
    home: Sender<Box<Held>>,
}

impl HeldFrames {
    /// `count` handles.
    pub(crate) fn new(count: usize) -> Self {
        let (home, free) = bounded(count);
        for _ in 0..count {
            // There is room for all of them and the receiver is alive.
            let sent = home.try_send(Box::new(Held { frame: None, seconds: 0.0, home: None }));
            debug_assert!(sent.is_ok());
        }
        Self { free, home }
    }

    /// A handle, unless all are out.
    pub(crate) fn take(&self) -> Option<Empty> {
        let mut held = self.free.try_recv().ok()?;
        held.home = Some(self.home.clone());
        Some(Empty(Some(held)))
    }
}

/// A handle that waits for its frame. It goes home if none comes.
pub(crate) struct Empty(Option<Box<Held>>);

impl Empty {
    pub(crate) fn fill(mut self, frame: OutputFrame, seconds: f64) -> Option<Box<Held>> {
        let mut held = self.0.take()?;
        held.frame = Some(frame);
        held.seconds = seconds;
        Some(held)
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            held.release();
        }
    }
}

impl Held {
    /// The frame, and its time stamp in seconds.
    pub(crate) fn frame(&self) -> Option<(&OutputFrame, f64)> {
        Some((self.frame.as_ref()?, self.seconds))
    }

    /// Gives the frame's buffer back to its pool, then the handle; frees either where its home is
    /// gone.
    pub(crate) fn release(mut self: Box<Self>) {
        self.frame = None;
        if let Some(home) = self.home.take() {
            let _freed_if_refused = home.try_send(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::frame::{BufferPool, Size};

    use super::*;

    fn frame(pool: &BufferPool, index: u64) -> OutputFrame {
        OutputFrame { index, size: Size::new(2, 1), pixels: pool.take().unwrap() }
    }

    #[test]
    fn handles_are_counted_and_come_back() {
        let pool = BufferPool::new(2, 6).unwrap();
        let frames = HeldFrames::new(2);
        let first = frames.take().unwrap().fill(frame(&pool, 0), 0.0).unwrap();
        let second = frames.take().unwrap();
        assert!(frames.take().is_none());
        drop(second);
        assert!(frames.take().is_some());
        assert_eq!(pool.available(), 1);
        first.release();
        assert_eq!(pool.available(), 2);
    }

    #[test]
    fn a_frame_outlives_pool_and_handles() {
        let pool = BufferPool::new(1, 6).unwrap();
        let frames = HeldFrames::new(1);
        let held = frames.take().unwrap().fill(frame(&pool, 7), 0.28).unwrap();
        drop((pool, frames));
        let (frame, seconds) = held.frame().unwrap();
        assert_eq!((frame.index, frame.pixels.len(), seconds), (7, 6, 0.28));
        held.release();
    }
}
