//! Two backends compared over the frames of a package.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use engine::backend::{Backend, OnnxRuntime, OnnxRuntimeOptions, Simulated, find_onnxruntime};
use engine::batch::Assembler;
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::frame::{ModelGeometry, Size};
use engine::onnx::Model;
use engine::onnx::batch::make_batch_symbolic;
use engine::onnx::precision::{Edges, to_half};
use engine::quality::QUALITY_FLOOR_DB;
use engine::sample::{Batch, Form, NetworkKind, SampleOptions, unet, write_package};
use engine::sink::ImageFormat;
use engine::verify::{VerifyError, compare, difference, evenly_spaced, predict};

const FRAMES: usize = 7;

fn write(folder: &Path, side: usize, network: NetworkKind) {
    let options = SampleOptions {
        frames: FRAMES,
        size: Size::new(256, 256),
        side,
        form: Form::Images(ImageFormat::Png),
        network,
        batch: Batch::Fixed(1),
        seed: 3,
        rects: None,
    };
    write_package(folder, &options, |_| ControlFlow::Continue(())).unwrap();
}

fn open(folder: &Path, side: usize, mode: StoreMode) -> (FrameStore, Assembler) {
    let geometry = ModelGeometry::new(side).unwrap();
    let package = Arc::new(Package::open(folder, geometry, Inputs::Package).unwrap());
    let assembler = Assembler::new(package.features().unwrap());
    let options = StoreOptions { mode, ram_budget: 1 << 30, decode_threads: 2 };
    (FrameStore::open(package, &options, &mut |_, _| ()).unwrap(), assembler)
}

fn network(model: &Path) -> Option<OnnxRuntime> {
    match find_onnxruntime(None) {
        Ok(library) => {
            let options = OnnxRuntimeOptions { library, threads: 2 };
            Some(OnnxRuntime::open(model, &options).unwrap())
        }
        Err(error) => {
            eprintln!("SKIPPED: {error}; run scripts/setup");
            None
        }
    }
}

#[test]
fn the_half_precision_unet_with_a_symbolic_batch_is_well_above_the_floor() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 160, NetworkKind::Unet);
    let original = folder.path().join("checkpoint/model_best.onnx");
    let mut model = Model::load(&original).unwrap();
    make_batch_symbolic(&mut model).unwrap();
    to_half(&mut model, Edges::default()).unwrap();
    let half = folder.path().join("half.onnx");
    model.save(&half).unwrap();
    let size = |path: &Path| path.metadata().unwrap().len() as f64;
    let ratio = size(&half) / size(&original);
    assert!((0.5..0.52).contains(&ratio), "half precision has {ratio} of the bytes");

    let (store, assembler) = open(folder.path(), 160, StoreMode::Ram);
    let frames = evenly_spaced(store.package().frame_count(), 3);
    let (Some(mut reference), Some(mut candidate)) = (network(&original), network(&half)) else {
        return;
    };
    let mut against = |candidate: &mut dyn Backend| {
        compare(&mut reference, candidate, &store, &assembler, &frames, &|| false).unwrap()
    };
    let quality = against(&mut candidate);
    assert!(quality.psnr_db > QUALITY_FLOOR_DB && quality.worst_psnr_db > 45.0, "{quality:?}");
    assert!(!quality.is_identical(), "half precision that rounds nothing was not half precision");
    assert_eq!(quality.frames, 3);
    eprintln!("fp16 against fp32: {quality:?}");

    let other = folder.path().join("other.onnx");
    unet(160, 99, Batch::Symbolic).unwrap().save(&other).unwrap();
    let quality = against(&mut network(&other).unwrap());
    assert!(quality.psnr_db < 45.0, "another network passes for this one: {quality:?}");
}

fn simulated(side: usize) -> Simulated {
    Simulated::new(ModelGeometry::new(side).unwrap(), 0.0).unwrap()
}

#[test]
fn predictions_are_of_the_frames_asked_for_whatever_the_batch_and_the_store() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 32, NetworkKind::Probe);
    let mut bytes = Vec::new();
    for mode in [StoreMode::Ram, StoreMode::Stream] {
        let (store, assembler) = open(folder.path(), 32, mode);
        for batch in [1, 2, 5] {
            // Beyond the last frame the package plays backwards.
            let frames = [0, 3, 4, 9];
            let run = predict(&mut simulated(32), &store, &assembler, &frames, batch, &|| false);
            let run = run.unwrap();
            assert_eq!(run.iter().map(|(index, _)| index).collect::<Vec<_>>(), frames);
            assert!(run.iter().all(|(_, bytes)| bytes.len() == 3 * 32 * 32));
            bytes.push(run);
        }
    }
    assert!(bytes.iter().all(|run| *run == bytes[0]));
    let quality = difference(&bytes[0], &bytes[1]).unwrap();
    assert!(quality.is_identical() && quality.psnr_db.is_infinite());
}

#[test]
fn a_fixed_batch_is_filled_as_far_as_there_are_frames() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 32, NetworkKind::Probe);
    let model = folder.path().join("three.onnx");
    engine::sample::probe(32, Batch::Fixed(3)).save(&model).unwrap();
    let (store, assembler) = open(folder.path(), 32, StoreMode::Ram);
    let original = folder.path().join("checkpoint/model_best.onnx");
    let (Some(mut one), Some(mut three)) = (network(&original), network(&model)) else { return };
    let frames = [0, 1, 2, 5];
    let quality = compare(&mut one, &mut three, &store, &assembler, &frames, &|| false).unwrap();
    assert!(quality.is_identical(), "{quality:?}");
    assert_eq!(quality.frames, 4);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 32, NetworkKind::Probe);
    let (store, assembler) = open(folder.path(), 32, StoreMode::Ram);
    let with = |frames: &[u64], cancelled: bool| {
        predict(&mut simulated(32), &store, &assembler, frames, 1, &|| cancelled)
    };
    for frames in [&[][..], &[2, 2], &[3, 1]] {
        assert!(matches!(with(frames, false), Err(VerifyError::Frames)), "{frames:?}");
    }
    assert!(matches!(with(&[0], true), Err(VerifyError::Cancelled)));
    let (a, b) = (with(&[0], false).unwrap(), with(&[1], false).unwrap());
    assert!(matches!(difference(&a, &b), Err(VerifyError::Frames)));
    let error =
        compare(&mut simulated(32), &mut simulated(64), &store, &assembler, &[0], &|| false)
            .unwrap_err();
    assert!(error.to_string().contains("32 x 32 and 64 x 64"), "{error}");
}
