//! Resident memory does not grow with the length of a run.

mod support;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use engine::backend::Simulated;
use engine::dataset::StoreMode;
use engine::frame::{ModelGeometry, OutputFrame, Size};
use engine::pipeline::{CancelToken, Pipeline};
use engine::sample::{Form, NetworkKind, SampleOptions, write_package};
use engine::sink::ImageFormat;
use support::{Each, Setting, pipeline};

/// Resident memory of this process in MB.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0 / 1e6)
}

/// Runs `frames` frames; resident memory after a fifth of them, and the most after that.
fn run(pipeline: &mut Pipeline, frames: u64) -> (f64, f64) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seeing = Arc::clone(&seen);
    let sink = Each(move |frame: OutputFrame| {
        if frame.index.is_multiple_of(frames / 50)
            && let Ok(mut seen) = seeing.lock()
        {
            seen.push(resident_mb());
        }
        Ok(())
    });
    let outcome = pipeline.run(frames, Box::new(sink), &CancelToken::new());
    assert!(outcome.is_ok_and(|report| report.frames == frames));
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    assert_eq!(seen.len(), 50);
    (seen[10], seen[10..].iter().copied().fold(f64::NAN, f64::max))
}

/// One test, so that no other takes memory at the same time.
#[test]
fn stays_flat() {
    let soak = std::env::var_os("ENGINE_SOAK").is_some();
    if !soak {
        eprintln!(
            "short run; 20000 frames of 1280x720 in both stores: scripts/test --soak (ENGINE_SOAK=1)"
        );
    }
    let (size, side, frames) =
        if soak { (Size::new(1280, 720), 320, 20_000) } else { (Size::new(320, 180), 32, 3_000) };
    // Videos where they can be read: going backwards takes windows of frames.
    let form = match cfg!(feature = "opencv") {
        true => Form::Videos,
        false => Form::Images(ImageFormat::Png),
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    let options = SampleOptions {
        frames: 100,
        size,
        side,
        form,
        network: NetworkKind::Probe,
        ..SampleOptions::default()
    };
    write_package(&folder, &options, |_| ControlFlow::Continue(())).unwrap();

    for store in [StoreMode::Stream, StoreMode::Ram] {
        let geometry = ModelGeometry::new(side).unwrap();
        let backend = Box::new(Simulated::new(geometry, 0.05).unwrap());
        let setting = Setting { store, ..Setting::default() };
        let mut pipeline = pipeline(&folder, setting, frames as usize, backend);
        let (early, most) = run(&mut pipeline, frames);
        eprintln!("{store}: {early:.1} MB after a fifth, {most:.1} MB at most, {frames} frames");
        // Small runs are dominated by what the allocator keeps, so a few MB are allowed for.
        assert!(most <= early * 1.05 + 4.0, "{store}: from {early:.1} MB to {most:.1} MB");
        assert!(store == StoreMode::Ram || most < 500.0, "{store}: {most:.1} MB");
    }
}
