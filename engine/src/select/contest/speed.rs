//! How long a frame takes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::Sample;
use crate::backend::{Backend, BatchLimit};
use crate::verify::VerifyError;

/// Rounds that are measured, after one that is not.
const ROUNDS: usize = 3;
/// Time that they take at least, all together.
const AT_LEAST: Duration = Duration::from_millis(300);
/// Whoever is this much slower in a round than is wanted will not be fast enough in another.
const HOPELESS: f64 = 1.25;

/// Milliseconds a frame of the network alone, over the first frames of `sample`, with as many batches
/// in flight as in a run. The best of several rounds, which is the one that others on this machine
/// disturbed least; of fewer where that is far more than `wanted_ms`.
pub(super) fn ms_per_frame(
    backend: &mut dyn Backend,
    sample: Sample<'_>,
    batch: usize,
    wanted_ms: f64,
    cancelled: &dyn Fn() -> bool,
) -> Result<f64, VerifyError> {
    let capacity = match backend.batch_limit() {
        BatchLimit::Fixed(n) => n,
        _ => batch.max(1),
    };
    let depth = backend.max_in_flight(capacity);
    let mut filled = Vec::with_capacity(depth);
    for _ in 0..depth {
        let mut batch = backend.allocate(capacity)?;
        for frame in sample.store.source(0..capacity as u64, capacity + 1)? {
            sample.assembler.push(&mut batch, frame?);
        }
        filled.push(batch);
    }
    let mut flying = VecDeque::with_capacity(depth);
    for batch in filled {
        flying.push_back(backend.enqueue(batch)?);
    }
    // Of batches that overlap, only as many as are in flight together take a known time.
    let frames = (depth * capacity) as f64;
    let began = Instant::now();
    let (mut done, mut rounds, mut best) = (0, 0, f64::INFINITY);
    let mut end: Option<Instant> = None;
    while let Some(oldest) = flying.pop_front() {
        let completed = backend.wait(oldest)?;
        if cancelled() {
            return Err(VerifyError::Cancelled);
        }
        done += 1;
        if done % depth == 0 {
            let now = Instant::now();
            if let Some(before) = end.replace(now) {
                rounds += 1;
                best = best.min((now - before).as_secs_f64() * 1e3 / frames);
            }
        }
        let enough = rounds >= ROUNDS && began.elapsed() >= AT_LEAST;
        let hopeless = rounds > 0 && best > HOPELESS * wanted_ms;
        if !enough && !hopeless {
            flying.push_back(backend.enqueue(completed.into_batch())?);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::ControlFlow;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::backend::Simulated;
    use crate::batch::Assembler;
    use crate::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
    use crate::frame::{ModelGeometry, Size};
    use crate::sample::{Batch, Form, NetworkKind, SampleOptions, write_package};
    use crate::sink::ImageFormat;

    fn package(folder: &Path) -> Arc<Package> {
        let options = SampleOptions {
            frames: 2,
            size: Size::new(96, 96),
            side: 32,
            form: Form::Images(ImageFormat::Png),
            network: NetworkKind::Probe,
            batch: Batch::Symbolic,
            seed: 1,
            rects: None,
        };
        write_package(folder, &options, |_| ControlFlow::Continue(())).unwrap();
        let geometry = ModelGeometry::new(32).unwrap();
        Arc::new(Package::open(folder, geometry, Inputs::Package).unwrap())
    }

    #[test]
    fn it_takes_as_many_rounds_as_are_needed_and_ends_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path());
        let mut simulated = Simulated::new(package.geometry(), 50.0).unwrap();
        for mode in [StoreMode::Ram, StoreMode::Stream] {
            let options = StoreOptions { mode, ram_budget: 1 << 30, decode_threads: 1 };
            let store = FrameStore::open(Arc::clone(&package), &options, &mut |_, _| ()).unwrap();
            let assembler = Assembler::new(package.features().unwrap());
            let (frames, root) = (None, folder.path());
            let sample = Sample { package: root, store: &store, assembler: &assembler, frames };
            let waits = Cell::new(0);
            let mut measure = |batch, wanted_ms, end_after| {
                waits.set(0);
                ms_per_frame(&mut simulated, sample, batch, wanted_ms, &|| {
                    waits.set(waits.get() + 1);
                    waits.get() > end_after
                })
            };
            // More frames in a batch than the package has: it plays backwards.
            let ms = measure(3, f64::INFINITY, usize::MAX).unwrap();
            assert!(ms > 0.0 && ms.is_finite(), "{ms}");
            // A round is as many batches as are in flight; the last of them is waited for.
            assert_eq!(waits.get(), 2 * (1 + ROUNDS) + 1);
            // One round shows that it takes longer than a thousandth of a millisecond.
            assert!(measure(1, 0.001, usize::MAX).is_ok());
            assert_eq!(waits.get(), 2 * 2 + 1);
            assert!(matches!(measure(1, f64::INFINITY, 2), Err(VerifyError::Cancelled)));
            assert_eq!(waits.get(), 3);
        }
    }
}
