//! Saving in threads of the sink's own.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::saver::Saver;
use super::{SaveObserver, Sink, SinkError};
use crate::frame::OutputFrame;

/// A sink that hands frames to threads, one saver each, through one bounded channel.
pub(super) struct BackgroundSink {
    /// `None` once finished or failed; dropping it ends the threads after what is queued.
    frames: Option<Sender<OutputFrame>>,
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    /// Set by the first error, or by dropping the sink: what is queued is no longer saved.
    stopping: AtomicBool,
    first_error: Mutex<Option<SinkError>>,
    observer: Option<Arc<dyn SaveObserver>>,
}

impl BackgroundSink {
    /// One thread for each of `savers`, and room for `queue` frames that wait for one.
    pub(super) fn new<S: Saver>(
        savers: Vec<S>,
        queue: usize,
        observer: Option<Arc<dyn SaveObserver>>,
    ) -> Result<Self, SinkError> {
        let (frames, waiting) = bounded(queue);
        let shared =
            Shared { stopping: AtomicBool::new(false), first_error: Mutex::new(None), observer };
        // Built first, so that an error below drops it and with it joins what was started.
        let mut sink = Self {
            frames: Some(frames),
            threads: Vec::with_capacity(savers.len()),
            shared: Arc::new(shared),
        };
        for (i, saver) in savers.into_iter().enumerate() {
            let (waiting, shared) = (waiting.clone(), Arc::clone(&sink.shared));
            let thread = thread::Builder::new()
                .name(format!("save-{i}"))
                .spawn(move || shared.work(saver, &waiting))
                .map_err(|source| SinkError::Thread { source })?;
            sink.threads.push(thread);
        }
        Ok(sink)
    }

    /// Ends the threads after what is queued; the first error, if any.
    fn close(&mut self) -> Result<(), SinkError> {
        self.frames = None;
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        match self.shared.lock_error().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Sink for BackgroundSink {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        let frames = self.frames.as_ref().ok_or(SinkError::Closed)?;
        if self.shared.stopping.load(Ordering::Acquire) || frames.send(frame).is_err() {
            self.close()?;
            return Err(SinkError::Closed);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        if self.frames.is_none() {
            return Err(SinkError::Closed);
        }
        self.close()
    }
}

impl Drop for BackgroundSink {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.frames = None;
        for thread in self.threads.drain(..) {
            // Nobody is left to tell about a panic, and panicking in drop would abort.
            let _panic = thread.join();
        }
    }
}

impl Shared {
    fn work<S: Saver>(&self, mut saver: S, waiting: &Receiver<OutputFrame>) {
        for frame in waiting {
            // After an error frames are still taken, and dropped, so that `write` never hangs.
            if self.stopping.load(Ordering::Acquire) {
                continue;
            }
            let (index, started) = (frame.index, Instant::now());
            match saver.save(frame) {
                Ok(()) => {
                    if let Some(observer) = &self.observer {
                        observer.saved(index, started, Instant::now());
                    }
                }
                Err(error) => self.fail(error),
            }
        }
        if !self.stopping.load(Ordering::Acquire)
            && let Err(error) = saver.complete()
        {
            self.fail(error);
        }
    }

    fn fail(&self, error: SinkError) {
        self.lock_error().get_or_insert(error);
        self.stopping.store(true, Ordering::Release);
    }

    fn lock_error(&self) -> std::sync::MutexGuard<'_, Option<SinkError>> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::frame::{BufferPool, Size};

    /// Notes what it is asked to do; fails or panics at one frame.
    struct Notes {
        log: Arc<Mutex<Vec<String>>>,
        fails_at: Option<u64>,
        panics_at: Option<u64>,
    }

    impl Saver for Notes {
        fn save(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
            let index = frame.index;
            assert_ne!(Some(index), self.panics_at, "told to");
            self.log.lock().unwrap().push(index.to_string());
            if self.fails_at == Some(index) {
                let size = Size::new(1, 1);
                return Err(SinkError::FrameSize { index, found: size, expected: size });
            }
            Ok(())
        }

        fn complete(&mut self) -> Result<(), SinkError> {
            self.log.lock().unwrap().push("complete".into());
            Ok(())
        }
    }

    struct Bench {
        pool: BufferPool,
        log: Arc<Mutex<Vec<String>>>,
        sink: BackgroundSink,
    }

    fn bench(savers: usize, fails_at: Option<u64>, panics_at: Option<u64>) -> Bench {
        let log = Arc::new(Mutex::new(Vec::new()));
        let saver = || Notes { log: Arc::clone(&log), fails_at, panics_at };
        let sink = BackgroundSink::new((0..savers).map(|_| saver()).collect(), 1, None).unwrap();
        Bench { pool: BufferPool::new(4, 3).unwrap(), log, sink }
    }

    impl Bench {
        fn write(&mut self, index: u64) -> Result<(), SinkError> {
            let pixels = self.pool.take().unwrap();
            self.sink.write(OutputFrame { index, size: Size::new(1, 1), pixels })
        }

        fn log(&self) -> Vec<String> {
            self.log.lock().unwrap().clone()
        }
    }

    #[test]
    fn one_saver_keeps_the_order_and_completes_once() {
        let mut bench = bench(1, None, None);
        for index in 0..10 {
            bench.write(index).unwrap();
        }
        bench.sink.finish().unwrap();
        let expected: Vec<_> =
            (0..10).map(|i| i.to_string()).chain(["complete".to_owned()]).collect();
        assert_eq!(bench.log(), expected);
        assert!(matches!(bench.sink.finish(), Err(SinkError::Closed)));
        assert!(matches!(bench.write(10), Err(SinkError::Closed)));
    }

    #[test]
    fn the_first_error_surfaces_once_and_nothing_is_saved_or_completed_after_it() {
        let mut bench = bench(1, Some(3), None);
        let error = (0..100).find_map(|index| bench.write(index).err()).unwrap();
        assert!(matches!(error, SinkError::FrameSize { index: 3, .. }), "{error}");
        assert_eq!(bench.log(), ["0", "1", "2", "3"]);
        assert!(matches!(bench.write(200), Err(SinkError::Closed)));
        assert_eq!(bench.pool.available(), 4);
    }

    #[test]
    fn an_error_in_the_last_frame_surfaces_at_finish() {
        let mut bench = bench(2, Some(1), None);
        bench.write(0).unwrap();
        bench.write(1).unwrap();
        assert!(matches!(bench.sink.finish(), Err(SinkError::FrameSize { index: 1, .. })));
        assert_eq!(bench.pool.available(), 4);
    }

    #[test]
    fn dropping_completes_nothing_and_returns_the_buffers() {
        let mut bench = bench(2, None, None);
        for index in 0..3 {
            bench.write(index).unwrap();
        }
        let Bench { pool, log, sink } = bench;
        drop(sink);
        assert!(!log.lock().unwrap().contains(&"complete".to_owned()));
        assert_eq!(pool.available(), 4);
    }

    #[test]
    fn a_panic_of_a_saver_reaches_the_caller() {
        let mut bench = bench(1, None, Some(0));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            bench.write(0)?;
            bench.sink.finish()
        }));
        assert!(outcome.is_err());
    }
}
