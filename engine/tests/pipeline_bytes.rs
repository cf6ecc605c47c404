//! Every frame's bytes, against a plain loop that shares no code with the engine.

#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::composite::{CompositorChoice, KernelLevel};
use engine::dataset::{Inputs, StoreMode};
use engine::frame::OutputFrame;
use engine::pipeline::{BusyTimes, CancelToken, Mode, RunObserver};
use support::{Collect, Each, Exact, SIDE, Setting, exact, package, pipeline};

/// A decoded BGR image.
struct Image {
    width: usize,
    height: usize,
    bgr: Vec<u8>,
}

fn read(path: &Path) -> Image {
    let image = image::open(path).unwrap().to_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut bgr = image.into_raw();
    for pixel in bgr.chunks_exact_mut(3) {
        pixel.swap(0, 2);
    }
    Image { width, height, bgr }
}

fn planes(image: &Image) -> Vec<f32> {
    let channel = |c: usize| image.bgr.iter().skip(c).step_by(3).map(|v| f32::from(*v) / 255.0);
    channel(0).chain(channel(1)).chain(channel(2)).collect()
}

/// OpenCV's 8-bit INTER_LINEAR in plain arithmetic: 11-bit weights, 4 bits dropped between the
/// passes.
fn resize(source: &Image, width: usize, height: usize) -> Vec<u8> {
    let side = source.width;
    let tap = |i: usize, from: usize, to: usize, clamp: bool| {
        let scale = 1.0 / (to as f64 / from as f64);
        let position = ((i as f64 + 0.5) * scale - 0.5) as f32;
        let (mut first, mut fraction) = (position.floor() as i64, position - position.floor());
        if clamp && first < 0 {
            (first, fraction) = (0, 0.0);
        }
        if clamp && first >= from as i64 - 1 {
            (first, fraction) = (from as i64 - 1, 0.0);
        }
        let weight = |w: f32| (w * 2048.0).round_ties_even() as i32;
        let inside = |j: i64| j.clamp(0, from as i64 - 1) as usize;
        (inside(first), inside(first + 1), weight(1.0 - fraction), weight(fraction))
    };
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let (y0, y1, b0, b1) = tap(y, source.height, height, false);
        for x in 0..width {
            let (x0, x1, a0, a1) = tap(x, side, width, true);
            for c in 0..3 {
                let at = |y: usize, x: usize| i32::from(source.bgr[(y * side + x) * 3 + c]);
                let row = |y: usize| (at(y, x0) * a0 + at(y, x1) * a1) >> 4;
                let sum = ((b0 * row(y0)) >> 16) + ((b1 * row(y1)) >> 16) + 2;
                out.push((sum >> 2) as u8);
            }
        }
    }
    out
}

/// The output frames `0..count` of the package in `folder`, one after the other.
fn reference(folder: &Path, frames: usize, count: usize) -> Vec<Vec<u8>> {
    let name = |kind: &str, i: usize| folder.join(kind.replace("{}", &i.to_string()));
    let crop_folder = format!("cache/crops_{}/{{}}.png", SIDE + 8);
    let roi_folder = format!("cache/rois_{SIDE}/{{}}.png");
    let rects: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("cache/crop_rectangles.json")).unwrap())
            .unwrap();
    let npy = fs::read(folder.join("aud_ave.npy")).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let features: Vec<f32> = npy[header..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let rows = features.len() / 512;

    // Forwards, then backwards, each end shown once.
    let mut order: Vec<usize> = (0..frames).collect();
    order.extend((1..frames.saturating_sub(1)).rev());
    (0..count)
        .map(|k| {
            let i = order[k % order.len()];
            let mut frame = read(&name("full_body_img/{}.png", i));
            let mut crop = read(&name(&crop_folder, i));
            let roi = read(&name(&roi_folder, i));
            let masked = read(&name("cache/model_inputs/{}_masked.png", i));
            let image: Vec<f32> = planes(&roi).into_iter().chain(planes(&masked)).collect();
            let window: Vec<f32> = (k as i64 - 8..k as i64 + 8)
                .flat_map(|row| {
                    // Rows repeat where the run is longer, and there are none before and after.
                    let inside = (0..count.max(rows) as i64).contains(&row);
                    let start = (row.rem_euclid(rows as i64) * 512) as usize;
                    let values = &features[start..start + 512];
                    values.iter().map(move |v| if inside { *v } else { 0.0 })
                })
                .collect();
            let prediction = exact(&image, &window);
            for y in 0..SIDE {
                for x in 0..SIDE {
                    for c in 0..3 {
                        let p = prediction[(c * SIDE + y) * SIDE + x] * 255.0;
                        crop.bgr[((y + 4) * (SIDE + 8) + x + 4) * 3 + c] =
                            p.clamp(0.0, 255.0) as u8;
                    }
                }
            }
            let rect = &rects[i.to_string()]["rect"];
            let [x1, y1, x2, y2] = [0, 1, 2, 3].map(|j| rect[j].as_u64().unwrap() as usize);
            let patch = resize(&crop, x2 - x1, y2 - y1);
            assert!(y2 <= frame.height);
            for (row, y) in patch.chunks_exact((x2 - x1) * 3).zip(y1..y2) {
                let start = (y * frame.width + x1) * 3;
                frame.bgr[start..start + row.len()].copy_from_slice(row);
            }
            frame.bgr
        })
        .collect()
}

fn render(folder: &Path, setting: Setting, count: usize) -> Vec<Vec<u8>> {
    let sink = Collect::default();
    let mut pipeline = pipeline(folder, setting, count, Box::new(Exact::new()));
    let report = pipeline.run(count as u64, Box::new(sink.clone()), &CancelToken::new()).unwrap();
    let collected = sink.take();
    assert!(collected.finished && !report.cancelled);
    assert_eq!(report.frames, count as u64);
    let indices: Vec<u64> = collected.frames.iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, (0..count as u64).collect::<Vec<_>>(), "{setting:?}");
    collected.frames.into_iter().map(|(_, pixels)| pixels).collect()
}

fn assert_same(found: &[Vec<u8>], expected: &[Vec<u8>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(found == expected, "frame {k} differs: {what}");
    }
}

#[test]
fn equal_the_plain_loop_for_every_batch_worker_count_mode_and_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    package(&folder, 12);
    for count in [1, 2, 3, 4, 5, 7, 20] {
        let expected = reference(&folder, 12, count);
        for batch in [1, 3, 4, 8] {
            for workers in [1, 2, 4] {
                for mode in [Mode::Sequential, Mode::Pipelined] {
                    for store in [StoreMode::Ram, StoreMode::Stream] {
                        let setting = Setting { batch, workers, mode, store, ..Setting::default() };
                        let what = format!("{count} frames, {setting:?}");
                        assert_same(&render(&folder, setting, count), &expected, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn equal_the_plain_loop_with_every_compositor() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    package(&folder, 5);
    let expected = reference(&folder, 5, 9);
    for level in KernelLevel::available() {
        let compositor: CompositorChoice = level.to_string().parse().unwrap();
        let setting = Setting { compositor, ..Setting::default() };
        assert_same(&render(&folder, setting, 9), &expected, &level.to_string());
    }
}

#[test]
fn equal_the_plain_loop_over_two_turnarounds() {
    for frames in [1, 2, 3, 12] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("package");
        package(&folder, frames);
        // There, back, there, back and a little more.
        let count = 4 * frames + 3;
        let expected = reference(&folder, frames, count);
        for store in [StoreMode::Ram, StoreMode::Stream] {
            for mode in [Mode::Sequential, Mode::Pipelined] {
                let setting = Setting { store, mode, batch: 4, ..Setting::default() };
                let what = format!("{frames} background frames, {setting:?}");
                assert_same(&render(&folder, setting, count), &expected, &what);
            }
        }
    }
}

#[test]
fn a_frame_keeps_its_bytes_while_a_slow_sink_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    package(&folder, 3);
    let count = 14;
    let expected = reference(&folder, 3, count);
    for store in [StoreMode::Ram, StoreMode::Stream] {
        // Around the first turnaround the same background is shown again while these are held.
        let held = Arc::new(Mutex::new(Vec::new()));
        let holding = Arc::clone(&held);
        let sink = Each(move |frame: OutputFrame| {
            if frame.index == 1 || frame.index == 2 {
                holding.lock().unwrap().push(frame);
            }
            Ok(())
        });
        let setting = Setting { store, ..Setting::default() };
        let mut pipeline = pipeline(&folder, setting, count, Box::new(Exact::new()));
        pipeline.run(count as u64, Box::new(sink), &CancelToken::new()).unwrap();
        for frame in held.lock().unwrap().iter() {
            let index = frame.index as usize;
            assert!(frame.pixels[..] == expected[index], "frame {index}, {store:?}");
        }
        assert_eq!(held.lock().unwrap().len(), 2);
    }
}

#[test]
fn derived_inputs_equal_stored_ones_that_were_derived_by_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("package");
    package(&folder, 4);
    // The sample's PNG rois and masked rois are exact, so both ways give the same bytes.
    let expected = reference(&folder, 4, 6);
    let setting = Setting { inputs: Inputs::Derived, ..Setting::default() };
    assert_same(&render(&folder, setting, 6), &expected, "derived");
}

/// Notes how far it was told a run is.
#[derive(Default)]
struct Told(Mutex<Vec<u64>>);

impl RunObserver for Told {
    fn progress(&self, frames: u64, busy: &BusyTimes) {
        assert!(busy.composite > std::time::Duration::ZERO);
        self.0.lock().unwrap().push(frames);
    }
}

#[test]
fn a_part_of_a_run_has_the_frames_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 5);
    let whole = render(folder.path(), Setting::default(), 31);
    for mode in [Mode::Pipelined, Mode::Sequential] {
        for store in [StoreMode::Ram, StoreMode::Stream] {
            let setting = Setting { mode, store, ..Setting::default() };
            let mut pipeline = pipeline(folder.path(), setting, 31, Box::new(Exact::new()));
            let told = Arc::<Told>::default();
            pipeline.observe(told.clone());
            for part in [0..31, 4..31, 7..8, 12..25, 30..31, 9..9] {
                let sink = Collect::default();
                let cancel = CancelToken::new();
                let report =
                    pipeline.run_part(part.clone(), Box::new(sink.clone()), &cancel).unwrap();
                assert_eq!((report.frames, report.cancelled), (part.end - part.start, false));
                let collected = sink.take();
                assert!(collected.finished);
                let indices: Vec<u64> = collected.frames.iter().map(|(index, _)| *index).collect();
                assert_eq!(indices, part.clone().collect::<Vec<_>>());
                for (index, pixels) in collected.frames {
                    assert!(pixels == whole[index as usize], "{mode}, {store}: frame {index}");
                }
                let told = std::mem::take(&mut *told.0.lock().unwrap());
                assert!(told.is_sorted() && told.last().copied().unwrap_or(0) == report.frames);
            }
        }
    }
}
