//! The process's signal handlers, kept while a library runs that has its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{mem, ptr, thread};

/// The signals that ask a program to end.
const ENDING: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Runs `work`, which may replace the handlers of signals that ask the program to end, and leave
/// others behind. NVRTC does: its handlers end the process without a word, or hang in the middle of
/// an allocation, and those that were there come back without their flags.
///
/// Here such signals reach the program's own handlers, at the end of `work` where no other thread
/// takes them before. On other threads the handlers are put back as soon as they are found missing;
/// for less than a millisecond those of `work` may be there.
pub(super) fn with_own_handlers<T>(work: impl FnOnce() -> T) -> T {
    let kept = Kept::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = || {
            while !done.load(Ordering::Acquire) {
                kept.restore();
                thread::park_timeout(Duration::from_micros(100));
            }
        };
        // Without it, only this thread is safe.
        let watcher = thread::Builder::new().spawn_scoped(scope, watch).ok();
        let _ends = Ends { done: &done, watcher: watcher.as_ref().map(|watcher| watcher.thread()) };
        work()
    })
}

/// Ends the watcher, also while `work` unwinds.
struct Ends<'a> {
    done: &'a AtomicBool,
    watcher: Option<&'a thread::Thread>,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        if let Some(watcher) = self.watcher {
            watcher.unpark();
        }
    }
}

/// The handlers at one time. Until this is dropped the signals wait, on this thread and on those that
/// it starts.
struct Kept {
    handlers: [libc::sigaction; ENDING.len()],
    mask: libc::sigset_t,
}

impl Kept {
    fn new() -> Self {
        // SAFETY: a set of bits, which is emptied before it is used.
        let mut ending: libc::sigset_t = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut mask: libc::sigset_t = unsafe { mem::zeroed() };
        // SAFETY: the addresses are those of live values, and the signals exist.
        unsafe {
            libc::sigemptyset(&mut ending);
            ENDING.iter().for_each(|&signal| _ = libc::sigaddset(&mut ending, signal));
            libc::pthread_sigmask(libc::SIG_BLOCK, &ending, &mut mask);
        }
        Self { handlers: ENDING.map(handler), mask }
    }

    /// Puts back those that are others now.
    fn restore(&self) {
        for (&signal, kept) in ENDING.iter().zip(&self.handlers) {
            let now = handler(signal);
            if (now.sa_sigaction, now.sa_flags) != (kept.sa_sigaction, kept.sa_flags) {
                // SAFETY: it was the handler of this signal before.
                unsafe { libc::sigaction(signal, kept, ptr::null_mut()) };
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.restore();
        // SAFETY: the mask is the one that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask, ptr::null_mut()) };
    }
}

/// The handler of a signal.
fn handler(signal: libc::c_int) -> libc::sigaction {
    // SAFETY: numbers, for which zeros are values.
    let mut handler: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the address is that of a live value.
    unsafe { libc::sigaction(signal, ptr::null(), &mut handler) };
    handler
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Instant;

    use super::*;

    static OURS: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn ours(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        OURS.fetch_add(1, Ordering::Relaxed);
    }

    extern "C" fn theirs(_: libc::c_int) {
        std::process::abort();
    }

    fn set(handler: usize, flags: libc::c_int) {
        // SAFETY: numbers, for which zeros are values.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        // SAFETY: the handlers are functions that a signal may call, of the kind that the flags say.
        unsafe { libc::sigaction(libc::SIGHUP, &action, ptr::null_mut()) };
    }

    #[test]
    fn handlers_are_put_back_during_the_work_and_after_it() {
        let before = handler(libc::SIGHUP);
        let (flags, theirs) = (libc::SA_SIGINFO | libc::SA_RESTART, theirs as *const () as usize);
        set(ours as *const () as usize, flags);
        with_own_handlers(|| {
            set(theirs, 0);
            let began = Instant::now();
            while handler(libc::SIGHUP).sa_sigaction == theirs {
                assert!(began.elapsed() < Duration::from_secs(60), "nobody puts it back");
                thread::yield_now();
            }
            // SAFETY: to this process, whose handler counts it.
            unsafe { libc::raise(libc::SIGHUP) };
            assert_eq!(OURS.load(Ordering::Relaxed), 0, "it waits for the end");
            set(theirs, 0);
        });
        let after = handler(libc::SIGHUP);
        assert_eq!(
            (after.sa_sigaction, OURS.load(Ordering::Relaxed)),
            (ours as *const () as usize, 1)
        );
        assert_eq!(after.sa_flags & flags, flags);
        // SAFETY: it was the handler of this signal before.
        unsafe { libc::sigaction(libc::SIGHUP, &before, ptr::null_mut()) };
    }
}
