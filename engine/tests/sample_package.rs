//! Sample packages on disk: every file, and how the files follow from one another.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use std::fs;
use std::ops::ControlFlow::{Break, Continue};
use std::path::{Path, PathBuf};

use engine::frame::{ModelGeometry, Size};
use engine::sample::{Form, NetworkKind, SampleError, SampleOptions, is_current, write_package};
use engine::sink::ImageFormat;
use serde_json::Value;

fn options(frames: usize) -> SampleOptions {
    SampleOptions {
        frames,
        size: Size::new(160, 90),
        side: 32,
        form: Form::Images(ImageFormat::Png),
        network: NetworkKind::Probe,
        ..SampleOptions::default()
    }
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn pixels(path: PathBuf) -> image::RgbImage {
    image::open(path).unwrap().into_rgb8()
}

/// All files below a folder, relative to it, in order.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

#[test]
fn a_package_of_images_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new/avatar");
    let mut done = Vec::new();
    let note = |frames| {
        done.push(frames);
        Continue(())
    };
    write_package(&dir, &options(2), note).unwrap();
    assert_eq!(done, [2]);
    assert_eq!(
        files(&dir),
        [
            "aud_ave.npy",
            "cache/crop_rectangles.json",
            "cache/crops_40/0.png",
            "cache/crops_40/1.png",
            "cache/model_inputs/0_masked.png",
            "cache/model_inputs/1_masked.png",
            "cache/rois_32/0.png",
            "cache/rois_32/1.png",
            "checkpoint/audio_encoder.onnx",
            "checkpoint/model_best.onnx",
            "full_body_img/0.png",
            "full_body_img/1.png",
            "package_info.json",
            "speech.wav",
        ]
    );
    let npy = fs::read(dir.join("aud_ave.npy")).unwrap();
    let header = String::from_utf8_lossy(&npy[10..120]).replace(' ', "");
    assert!(header.contains("'descr':'<f4'") && header.contains("'shape':(2,512"), "{header}");
    let wav = fs::read(dir.join("speech.wav")).unwrap();
    assert_eq!(wav.len(), 44 + 2 * 2 * 640, "16 bits at 16 kHz, 1/25 s a frame");
    let rects = json(dir.join("cache/crop_rectangles.json"));
    assert_eq!(rects.as_object().unwrap().len(), 2);
    assert_eq!(rects["1"]["rect"].as_array().unwrap().len(), 4);
    let left = fs::read_dir(folder.path().join("new")).unwrap().count();
    assert_eq!(left, 1, "nothing but the package stays behind");
}

#[test]
fn rois_and_masked_inputs_follow_from_the_crops() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("avatar");
    write_package(&dir, &options(1), |_| Continue(())).unwrap();
    let crop = pixels(dir.join("cache/crops_40/0.png"));
    let roi = pixels(dir.join("cache/rois_32/0.png"));
    let masked = pixels(dir.join("cache/model_inputs/0_masked.png"));
    assert_eq!((crop.width(), roi.width(), masked.width()), (40, 32, 32));
    let mask = ModelGeometry::new(32).unwrap().mask();
    let mut black = 0;
    for (x, y, pixel) in roi.enumerate_pixels() {
        assert_eq!(pixel, crop.get_pixel(x + 4, y + 4));
        if (mask.x1..mask.x2).contains(&(x as usize)) && (mask.y1..mask.y2).contains(&(y as usize))
        {
            assert_eq!(masked.get_pixel(x, y).0, [0; 3]);
            black += 1;
        } else {
            assert_eq!(masked.get_pixel(x, y), pixel);
        }
    }
    assert_eq!(black, mask.size().width * mask.size().height);
}

#[test]
fn the_head_is_inside_its_rectangle() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("avatar");
    let options = SampleOptions { size: Size::new(640, 360), ..options(1) };
    write_package(&dir, &options, |_| Continue(())).unwrap();
    let frame = pixels(dir.join("full_body_img/0.png"));
    let rects = json(dir.join("cache/crop_rectangles.json"));
    let edge = |i: usize| u32::try_from(rects["0"]["rect"][i].as_u64().unwrap()).unwrap();
    let is_skin = |x: u32, y: u32| {
        let [r, g, b] = frame.get_pixel(x, y).0;
        r > g && g > b && r > 180
    };
    let (middle, width) = ((edge(0) + edge(2)) / 2, edge(2) - edge(0));
    assert!(is_skin(middle, edge(1) + width * 80 / 100), "the chin");
    assert!(is_skin(middle - width / 4, edge(1) + width * 45 / 100), "a cheek");
    assert!(!is_skin(edge(0) - width / 2, edge(1)), "the wall");
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    write_package(&a, &options(2), |_| Continue(())).unwrap();
    write_package(&b, &options(2), |_| Continue(())).unwrap();
    for name in files(&a) {
        assert!(fs::read(a.join(&name)).unwrap() == fs::read(b.join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn rectangles_of_a_file_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let rects = folder.path().join("rects.json");
    fs::write(&rects, r#"{"0": {"rect": [40, 20, 63, 43]}, "1": {"rect": [41, 20, 64, 43]}}"#)
        .unwrap();
    let dir = folder.path().join("avatar");
    let options = SampleOptions { rects: Some(rects), ..options(3) };
    write_package(&dir, &options, |_| Continue(())).unwrap();
    let written = json(dir.join("cache/crop_rectangles.json"));
    let first = |frame: &str| written[frame]["rect"][0].as_u64().unwrap();
    assert_eq!([first("0"), first("1"), first("2")], [40, 41, 40]);
}

#[test]
fn nothing_is_left_of_a_sample_that_was_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("avatar");
    write_package(&dir, &options(1), |_| Continue(())).unwrap();
    let before = files(folder.path());
    let error = write_package(&dir, &options(40), |_| Break(())).unwrap_err();
    assert!(matches!(error, SampleError::Stopped), "{error}");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_sample_is_replaced_and_anything_else_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("avatar");
    fs::create_dir(&dir).unwrap();
    write_package(&dir, &options(2), |_| Continue(())).unwrap();
    assert!(is_current(&dir, &options(2)));
    assert!(!is_current(&dir, &options(1)));
    write_package(&dir, &options(1), |_| Continue(())).unwrap();
    assert!(is_current(&dir, &options(1)));
    assert!(!dir.join("full_body_img/1.png").exists());

    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let error = write_package(&dir, &options(1), |_| Continue(())).unwrap_err().to_string();
    assert!(error.contains("avatar exists") && error.contains("it has notes.txt"), "{error}");
    assert!(dir.join("notes.txt").exists());

    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("package_info.json"), r#"{"dataset_name": "sanders"}"#).unwrap();
    let error = write_package(&other, &options(1), |_| Continue(())).unwrap_err().to_string();
    assert!(error.contains("is not a sample package"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn impossible_options_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("avatar");
    let refused = |options: SampleOptions, expected: &str| {
        let error = write_package(&dir, &options, |_| Continue(())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    refused(options(0), "at least 1 frame");
    refused(SampleOptions { size: Size::new(160, 20), ..options(1) }, "160x20");
    refused(SampleOptions { side: 4000, ..options(1) }, "not 4000");
    refused(SampleOptions { network: NetworkKind::Unet, ..options(1) }, "side 160 or 320, not 32");
    refused(SampleOptions { rects: Some("/no/rects.json".into()), ..options(1) }, "/no/rects.json");
    #[cfg(not(feature = "opencv"))]
    refused(SampleOptions { form: Form::Videos, ..options(1) }, "`--images png`");
}

#[cfg(feature = "opencv")]
#[test]
fn a_package_of_videos_holds_every_frame() {
    use opencv::prelude::VideoCaptureTraitConst;
    use opencv::videoio::{CAP_ANY, CAP_PROP_FRAME_COUNT, VideoCapture};

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("avatar");
    let options = SampleOptions { form: Form::Videos, ..options(19) };
    write_package(&dir, &options, |_| Continue(())).unwrap();
    let manifest = json(dir.join("package_info.json"));
    for (kind, entry) in manifest["videos"].as_object().unwrap() {
        let file = dir.join(entry["video_file"].as_str().unwrap());
        let video = VideoCapture::from_file(file, CAP_ANY).unwrap();
        assert_eq!(video.get(CAP_PROP_FRAME_COUNT).unwrap(), 19.0, "{kind}");
    }
    assert_eq!(manifest["videos"].as_object().unwrap().len(), 4);
}
