//! Asking a run to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Asks a run to begin no further batch. The frames in flight are finished first.
#[derive(Clone, Debug)]
pub struct CancelToken(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    asked: AtomicBool,
    signal: Receiver<()>,
    /// Dropping it disconnects `signal`, which wakes everyone who waits.
    open: Mutex<Option<Sender<()>>>,
}

impl CancelToken {
    /// A token that nobody has used.
    pub fn new() -> Self {
        // Nothing is ever sent; to wait on a channel without room would allocate.
        let (open, signal) = bounded(1);
        let asked = AtomicBool::new(false);
        Self(Arc::new(Shared { asked, signal, open: Mutex::new(Some(open)) }))
    }

    /// Asks; does not wait. Safe to call from a signal-handling thread, and more than once.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether somebody has asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// Carries nothing and is disconnected once somebody has asked: what a wait selects on to be
    /// woken.
    pub fn signal(&self) -> &Receiver<()> {
        &self.0.signal
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_wakes_whoever_waits() {
        let token = CancelToken::new();
        let cloned = token.clone();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| cloned.signal().recv().is_err());
            token.cancel();
            token.cancel();
            assert!(waiter.join().unwrap() && cloned.is_cancelled());
        });
    }
}
