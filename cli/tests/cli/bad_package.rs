//! Packages that cannot be used.

use std::fs;

use engine::sample::{Form, SampleOptions};
use engine::sink::ImageFormat;

use crate::support::{FRAMES, SIMULATED, Workplace, small};

const RECTANGLES: &str = "pkg/cache/crop_rectangles.json";

#[test]
fn no_package() {
    let work = Workplace::empty();
    let render =
        |path: &str, args: &[&str]| work.run(&[&["render", path, "-o", "out"][..], args].concat());
    render("pkg", &[]).assert_refused(&["pkg: no such folder", "expected an avatar package"]);
    fs::create_dir(work.path("pkg")).unwrap();
    // Without a network to ask, the missing package is still what is wrong.
    for args in [&SIMULATED[..], &[]] {
        render("pkg", args).assert_refused(&[
            "pkg is not an avatar package",
            "empty",
            "full_body_video.mp4",
        ]);
    }
    work.write("file", "");
    render("file", &SIMULATED).assert_refused(&["file: not a folder"]);
    assert_eq!(work.names("."), ["file", "pkg"]);
}

#[test]
fn a_package_without_a_network() {
    let work = Workplace::new();
    fs::remove_file(work.path("pkg/checkpoint/model_best.onnx")).unwrap();
    work.run(&["render", "pkg", "-o", "out"]).assert_refused(&[
        "pkg: the package has no network",
        "checkpoint/model_best.onnx",
        "--model",
    ]);
    assert_eq!(work.names("out"), [""; 0]);
}

#[test]
fn missing_parts() {
    let work = Workplace::new();
    let away = work.path("away");
    for (name, parts) in [
        ("cache/crops_40", &["cache/crops_40/0.jpg is missing", "40x40"][..]),
        ("cache/rois_32", &["cache/rois_32/0.jpg is missing", "--inputs derived"]),
        ("cache/model_inputs", &["0_masked.jpg is missing", "--inputs derived"]),
        ("cache/crop_rectangles.json", &["cache/crop_rectangles.json is missing"]),
        ("aud_ave.npy", &["cannot read pkg/aud_ave.npy", "No such file"]),
    ] {
        let path = work.path("pkg").join(name);
        fs::rename(&path, &away).unwrap();
        work.assert_render_refused(&[], parts);
        fs::rename(&away, &path).unwrap();
    }
}

#[test]
fn other_numbers_of_frames_than_of_rectangles() {
    let work = Workplace::new();
    let last = format!("pkg/full_body_img/{}.png", FRAMES - 1);
    fs::rename(work.path(&last), work.path("away")).unwrap();
    work.assert_render_refused(&[], &["full_body_img has 5 frames", "6 rectangles"]);
    fs::rename(work.path("away"), work.path(&last)).unwrap();

    let text = fs::read(work.path(RECTANGLES)).unwrap();
    let mut rects: serde_json::Map<_, _> = serde_json::from_slice(&text).unwrap();
    rects.remove("5");
    work.write(RECTANGLES, serde_json::to_vec(&rects).unwrap());
    work.assert_render_refused(&[], &["full_body_img has 6 frames", "5 rectangles"]);
}

#[test]
fn damaged_images_in_both_frame_stores() {
    for (file, extension) in [("full_body_img/3", "png"), ("cache/crops_40/2", "jpg")] {
        let work = match extension {
            "png" => Workplace::new(),
            _ => {
                Workplace::with(&SampleOptions { form: Form::Images(ImageFormat::Jpg), ..small() })
            }
        };
        work.halve(&format!("pkg/{file}.{extension}"));
        let parts = ["cannot decode frame", &format!("pkg/{file}.{extension}")];
        work.assert_render_refused(&["--frame-store", "ram"], &parts);
        // A stream finds out on its way: whole frames before it stay, nothing else does.
        work.render(&["--frame-store", "stream", "--batch", "1"]).assert_refused(&parts);
        for name in work.names("out") {
            assert!(image::open(work.path("out").join(&name)).is_ok(), "{name}");
        }
    }
}

#[test]
fn rectangles() {
    let work = Workplace::new();
    let good = fs::read_to_string(work.path(RECTANGLES)).unwrap();
    let good: serde_json::Value = serde_json::from_str(&good).unwrap();
    let inside = "0 <= x1 < x2 <= 192 and 0 <= y1 < y2 <= 108";
    for (rect, expected) in [
        ("[1.5, 2, 30, 40]", "four whole numbers"),
        ("[-1, 2, 30, 40]", "four whole numbers"),
        ("[1, 2, 30]", "four whole numbers"),
        ("[30, 2, 1, 40]", inside),
        ("[1, 40, 30, 2]", inside),
        ("[1, 2, 1, 40]", inside),
        ("[1, 2, 193, 40]", inside),
        ("[1, 2, 30, 109]", inside),
        ("[0, 0, 9223372036854775807, 9223372036854775807]", inside),
        ("[0, 0, 1e300, 4]", "four whole numbers"),
    ] {
        let mut rects = good.clone();
        rects["4"]["rect"] = serde_json::from_str(rect).unwrap();
        work.write(RECTANGLES, rects.to_string());
        work.assert_render_refused(
            &[],
            &["error: pkg/cache/crop_rectangles.json: frame 4 \"rect\" is [", expected],
        );
    }

    let mut rects = good.clone();
    let entry = rects.as_object_mut().unwrap().remove("2").unwrap();
    rects["6"] = entry;
    work.write(RECTANGLES, rects.to_string());
    work.assert_render_refused(&[], &["crop_rectangles.json", "without frame 2", "without a gap"]);

    for text in ["", "{\"0\": {\"rect\": [1, 2", "[]", "{\"0\": NaN}"] {
        work.write(RECTANGLES, text);
        work.assert_render_refused(
            &[],
            &["pkg/cache/crop_rectangles.json is not valid JSON", "line 1"],
        );
    }
}

#[test]
fn manifest() {
    let work = Workplace::new();
    for (text, parts) in [
        (
            "{\"package_version\": ",
            &["error: pkg/package_info.json is not valid JSON", "line 1"][..],
        ),
        ("[]", &["error: pkg/package_info.json: the file is []; expected a JSON object"]),
        (
            "{\"onnx\": {\"file\": 1}}",
            &["pkg/package_info.json: onnx.file is 1; expected a string"],
        ),
    ] {
        work.write("pkg/package_info.json", text);
        work.assert_render_refused(&[], parts);
    }
}

#[cfg(feature = "opencv")]
mod videos {
    use super::*;

    fn workplace() -> Workplace {
        Workplace::with(&SampleOptions { form: Form::Videos, ..small() })
    }

    #[test]
    fn missing() {
        let work = workplace();
        fs::remove_file(work.path("pkg/crops_40_video.mp4")).unwrap();
        work.assert_render_refused(&[], &["pkg/crops_40_video.mp4 is missing", "40x40"]);
        fs::remove_file(work.path("pkg/full_body_video.mp4")).unwrap();
        work.assert_render_refused(&[], &["pkg is not an avatar package", "full_body_video.mp4"]);
    }

    #[test]
    fn cut_short() {
        let work = workplace();
        work.halve("pkg/full_body_video.mp4");
        let parts = ["cannot open pkg/full_body_video.mp4 as a video", "cut short"];
        work.assert_render_refused(&[], &parts);
    }

    #[test]
    fn of_other_lengths_than_the_rectangles() {
        let work = workplace();
        work.sample("longer", &SampleOptions { frames: FRAMES + 1, form: Form::Videos, ..small() });
        fs::copy(work.path("longer/crops_40_video.mp4"), work.path("pkg/crops_40_video.mp4"))
            .unwrap();
        work.assert_render_refused(&[], &["pkg/crops_40_video.mp4 has 7 frames", "6 rectangles"]);
    }
}

#[cfg(not(feature = "opencv"))]
#[test]
fn videos_need_opencv() {
    let work = Workplace::new();
    fs::remove_dir_all(work.path("pkg/full_body_img")).unwrap();
    for name in ["full_body", "crops_40", "rois_32", "model_inputs"] {
        work.write(&format!("pkg/{name}_video.mp4"), "not opened");
    }
    work.assert_render_refused(&[], &["full_body_video.mp4", "built without OpenCV", "unpack"]);
}
