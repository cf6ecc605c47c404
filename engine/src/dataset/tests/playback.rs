//! Streams against RAM: the same bytes in the same order, without running out of buffers.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::support::{self, forms};
use crate::dataset::stream::Stream;
use crate::dataset::{
    DatasetError, Form, FrameStore, InputPixels, Inputs, Pace, Package, Sample, StoreMode,
    ping_pong,
};

fn stream(
    package: &Package,
    shown: Range<u64>,
    in_flight: usize,
    window: usize,
) -> impl Iterator<Item = Result<Sample, DatasetError>> {
    let mut stream =
        Stream::start(package, Pace::default(), shown, in_flight, Some(window)).unwrap();
    std::iter::from_fn(move || stream.next())
}

fn assert_same(streamed: &mut Sample, kept: &mut Sample) {
    assert_eq!((streamed.index, streamed.frame), (kept.index, kept.frame));
    assert!(streamed.crop() == kept.crop(), "crop of {kept:?}");
    match (streamed.inputs(), kept.inputs()) {
        (
            InputPixels::Stored { roi, masked },
            InputPixels::Stored { roi: kept_roi, masked: kept_masked },
        ) => assert!(roi == kept_roi && masked == kept_masked, "inputs"),
        (InputPixels::Derived { crop }, InputPixels::Derived { crop: kept }) => {
            assert!(crop == kept);
        }
        other => panic!("{other:?}"),
    }
    assert!(kept.take_background().is_none() && streamed.shared_background().is_none());
    let owned = streamed.take_background().unwrap();
    assert!(owned[..] == *kept.shared_background().unwrap(), "background");
    assert!(streamed.take_background().is_none(), "a background is taken once");
}

fn ram(package: &Arc<Package>) -> FrameStore {
    support::store(package, StoreMode::Ram).unwrap()
}

#[test]
fn streams_at_another_pace_equal_ram() {
    for &form in forms() {
        for frames in [1, 2, 12] {
            let dir = support::package(form, frames);
            let package = support::open(&dir, Inputs::Package);
            let (mut kept, mut streamed) =
                (ram(&package), support::store(&package, StoreMode::Stream).unwrap());
            for rate in ["50", "60", "12.5", "30", "24", "1"] {
                let pace = Pace::of(rate.parse().unwrap());
                kept.set_pace(pace);
                streamed.set_pace(pace);
                for shown in [0..70, 3..40, 31..32, 5..5] {
                    let pairs = streamed.source(shown.clone(), 2).unwrap();
                    let mut pairs = pairs.zip(kept.source(shown.clone(), 2).unwrap());
                    for index in shown.clone() {
                        let (streamed, kept) = pairs.next().unwrap();
                        let (mut streamed, mut kept) = (streamed.unwrap(), kept.unwrap());
                        let frame = ping_pong(pace.step(index), frames);
                        assert_eq!((kept.index, kept.frame), (index, frame), "{rate}");
                        assert_same(&mut streamed, &mut kept);
                    }
                    assert!(pairs.next().is_none());
                }
            }
        }
    }
}

#[test]
fn streams_that_begin_inside_equal_ram() {
    for &form in forms() {
        for frames in [1, 2, 12] {
            let dir = support::package(form, frames);
            let package = support::open(&dir, Inputs::Package);
            let kept = ram(&package);
            for first in [1, 5, 11, 12, 17, 22, 30] {
                let shown = first..first + 14;
                let mut index = first;
                let pairs =
                    stream(&package, shown.clone(), 2, 4).zip(kept.source(shown, 2).unwrap());
                for pair in pairs {
                    let (mut streamed, mut kept) = (pair.0.unwrap(), pair.1.unwrap());
                    assert_eq!((kept.index, kept.frame), (index, ping_pong(index, frames)));
                    assert_same(&mut streamed, &mut kept);
                    index += 1;
                }
                assert_eq!(index, first + 14);
            }
        }
    }
}

#[test]
fn streams_equal_ram_over_two_turnarounds() {
    for &form in forms() {
        for frames in [1, 2, 3, 12] {
            let dir = support::package(form, frames);
            let package = support::open(&dir, Inputs::Package);
            let kept = ram(&package);
            let longest = (4 * frames as u64).clamp(9, 40);
            for (window, count) in [(1, longest), (2, longest - 1), (5, longest), (64, 2)] {
                let mut shown = 0;
                for pair in
                    stream(&package, 0..count, 1, window).zip(kept.source(0..count, 1).unwrap())
                {
                    let (mut streamed, mut kept) = (pair.0.unwrap(), pair.1.unwrap());
                    assert_eq!(kept.index, shown);
                    assert_eq!(kept.frame, ping_pong(shown, frames));
                    assert_same(&mut streamed, &mut kept);
                    shown += 1;
                }
                assert_eq!(shown, count, "{form}, {frames} frames, window {window}");
            }
        }
    }
}

/// More frames than lie between two key frames of an OpenCV video.
#[test]
#[cfg(feature = "opencv")]
fn windows_across_key_frames_equal_ram() {
    let dir = support::package(Form::Videos, 40);
    let package = support::open(&dir, Inputs::Derived);
    let kept = ram(&package);
    for window in [3, 7, 38] {
        for pair in stream(&package, 0..130, 4, window).zip(kept.source(0..130, 1).unwrap()) {
            assert_same(&mut pair.0.unwrap(), &mut pair.1.unwrap());
        }
    }
    let source = support::store(&package, StoreMode::Stream).unwrap().source(0..130, 4).unwrap();
    assert_eq!(source.map(Result::unwrap).count(), 130);
}

#[test]
fn a_consumer_may_hold_all_it_announced() {
    for &form in forms() {
        let dir = support::package(form, 12);
        let package = support::open(&dir, Inputs::Package);
        for (in_flight, window) in [(1, 1), (3, 4), (9, 2), (16, 10)] {
            let mut held = VecDeque::new();
            let mut stream =
                Stream::start(&package, Pace::default(), 0..60, in_flight, Some(window)).unwrap();
            while let Some(sample) = stream.next() {
                held.push_back(sample.unwrap());
                if held.len() > in_flight - 1 {
                    // One returns only when as many as announced are held.
                    assert_eq!(held.len(), in_flight);
                    let oldest = if held.back().unwrap().index % 5 == 0 { held.len() } else { 1 };
                    held.drain(..oldest);
                }
            }
            drop(held);
            let (free, all) = stream.buffers();
            assert_eq!(free, all);
            assert_eq!(stream.stats().frames, 60);
        }
    }
}

#[test]
fn dropping_a_source_midway_stops_its_decoder() {
    for &form in forms() {
        let dir = support::package(form, 12);
        let store = support::store(&support::open(&dir, Inputs::Package), StoreMode::Stream);
        let store = store.unwrap();
        for taken in [0, 1, 13, 30] {
            let mut source = store.source(0..u64::MAX, 2).unwrap();
            let mut last = None;
            for _ in 0..taken {
                last = Some(source.next().unwrap().unwrap());
            }
            drop(source);
            // What was handed out stays valid.
            if let Some(sample) = last {
                assert_eq!(sample.index, taken - 1);
                assert_eq!(sample.crop().len(), 24 * 24 * 3);
            }
        }
    }
}

#[test]
fn a_damaged_frame_is_reported_in_its_place() {
    let dir = support::package(Form::Images, 6);
    support::truncate(&dir.path().join("cache/crops_24/4.png"), 0.5);
    let package = support::open(&dir, Inputs::Package);
    let mut source = support::store(&package, StoreMode::Stream).unwrap().source(0..20, 2).unwrap();
    for k in 0..4 {
        assert_eq!(source.next().unwrap().unwrap().index, k);
    }
    let error = source.next().unwrap().unwrap_err();
    support::assert_says(&error, &["cannot decode frame 4", "crops_24/4.png"]);
    assert!(source.next().is_none());
    assert!(source.next().is_none());
    let error = support::store(&package, StoreMode::Ram).err().unwrap();
    support::assert_says(&error, &["cannot decode frame 4", "crops_24/4.png"]);
}

#[test]
#[cfg(feature = "opencv")]
fn a_video_that_ends_early_is_an_error_in_both_stores() {
    let dir = support::package(Form::Videos, 12);
    let video = dir.path().join("full_body_video.mp4");
    support::move_index_to_front(&video);
    support::truncate(&video, 0.6);
    // The header still promises twelve frames.
    let package = support::open(&dir, Inputs::Package);
    let expected = ["full_body_video.mp4 ends at frame ", "expected 12 frames"];
    let error = support::store(&package, StoreMode::Ram).err().unwrap();
    support::assert_says(&error, &expected);
    let mut source = support::store(&package, StoreMode::Stream).unwrap().source(0..40, 2).unwrap();
    let (good, mut bad): (Vec<_>, Vec<_>) = source.by_ref().partition(Result::is_ok);
    assert!(!good.is_empty() && good.len() < 12);
    assert_eq!(bad.len(), 1);
    support::assert_says(&bad.remove(0).unwrap_err(), &expected);
}

#[test]
#[cfg(feature = "opencv")]
fn a_video_that_goes_on_is_an_error() {
    let dir = support::package(Form::Videos, 12);
    let path = dir.path().join("full_body_video.mp4");
    let mut reader = crate::dataset::video::VideoReader::open(&path, support::FRAME, 10).unwrap();
    let mut pixels = vec![0; support::FRAME.bytes()];
    let results: Vec<_> = (0..10).map(|_| reader.read_next(&mut pixels)).collect();
    assert!(results[..9].iter().all(Result::is_ok));
    support::assert_says(
        results[9].as_ref().unwrap_err(),
        &["full_body_video.mp4 has 12 frames", "10 rectangles"],
    );
}
