//! What backends put into frames, against the frames of a run.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use engine::backend::Simulated;
use engine::batch::Assembler;
use engine::composite::Interpolation;
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::frame::ModelGeometry;
use engine::quality::{CompositedFrames, Excerpt, composite};
use engine::verify::VerifyError;

use support::{Collect, Exact, Setting, geometry, package, pipeline};

/// Numbers of the compared frames; beyond the last of the package it plays backwards.
const FRAMES: [u64; 4] = [0, 2, 5, 7];

fn composited(
    folder: &Path,
    mode: StoreMode,
    interpolation: Interpolation,
    batch: usize,
) -> CompositedFrames {
    let package = Arc::new(Package::open(folder, geometry(), Inputs::Package).unwrap());
    let options = StoreOptions { mode, ram_budget: 1 << 30, decode_threads: 2 };
    let store = FrameStore::open(Arc::clone(&package), &options, &mut |_, _| ()).unwrap();
    let assembler = Assembler::new(package.features().unwrap().repeat_to(8));
    let excerpt = Excerpt { store: &store, assembler: &assembler, frames: &FRAMES, interpolation };
    let mut done = Vec::new();
    let progress = &mut |count| done.push(count);
    let made = composite(&mut Exact::new(), &excerpt, batch, &|| false, progress).unwrap();
    assert_eq!(done, [1, 2, 3, 4]);
    made
}

#[test]
fn are_the_rectangles_of_rendered_frames_whatever_the_batch_and_the_store() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 6);
    let rects = Package::open(folder.path(), geometry(), Inputs::Package).unwrap().rects().to_vec();
    let sink = Collect::default();
    let mut run = pipeline(folder.path(), Setting::default(), 8, Box::new(Exact::new()));
    let report = run.run(8, Box::new(sink.clone()), &engine::pipeline::CancelToken::new());
    assert_eq!(report.unwrap().frames, 8);
    let rendered = sink.take().frames;
    for mode in [StoreMode::Ram, StoreMode::Stream] {
        for batch in [1, 3, 4] {
            let made = composited(folder.path(), mode, Interpolation::Linear, batch);
            assert_eq!(made.patches().len(), FRAMES.len());
            for (patch, frame) in made.patches().iter().zip(FRAMES) {
                let shown = [0, 1, 2, 3, 4, 5, 4, 3][frame as usize];
                let (rect, (_, pixels)) = (rects[shown], &rendered[frame as usize]);
                let rows = (rect.y1..rect.y2).flat_map(|y| {
                    let start = (y * 192 + rect.x1) * 3;
                    pixels[start..start + rect.size().stride()].iter().copied()
                });
                assert_eq!((patch.frame, patch.size), (frame, rect.size()));
                assert!(rows.eq(patch.bgr.iter().copied()), "frame {frame}, batch {batch}");
            }
        }
    }
}

#[test]
fn the_interpolation_is_the_one_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 6);
    let linear = composited(folder.path(), StoreMode::Ram, Interpolation::Linear, 2);
    let cubic = composited(folder.path(), StoreMode::Ram, Interpolation::Cubic, 2);
    let quality = linear.compare(&cubic).unwrap();
    assert!(!quality.overall.is_identical());
    assert!(quality.overall.psnr_db > 20.0, "two ways to resize one image: {quality:?}");
}

#[test]
fn what_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    let package = Arc::new(Package::open(folder.path(), geometry(), Inputs::Package).unwrap());
    let options = StoreOptions { mode: StoreMode::Ram, ram_budget: 1 << 30, decode_threads: 1 };
    let store = FrameStore::open(Arc::clone(&package), &options, &mut |_, _| ()).unwrap();
    let assembler = Assembler::new(package.features().unwrap());
    let made = |frames: &[u64], side: usize, cancelled: bool| {
        let interpolation = Interpolation::Linear;
        let excerpt = Excerpt { store: &store, assembler: &assembler, frames, interpolation };
        let mut backend = Simulated::new(ModelGeometry::new(side).unwrap(), 0.0).unwrap();
        composite(&mut backend, &excerpt, 1, &|| cancelled, &mut |_| ())
    };
    assert!(matches!(made(&[], 32, false), Err(VerifyError::Frames)));
    assert!(matches!(made(&[1, 0], 32, false), Err(VerifyError::Frames)));
    assert!(matches!(made(&[0], 32, true), Err(VerifyError::Cancelled)));
}
