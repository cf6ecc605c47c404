//! `sample`, `inspect`, and the help.

use std::fs;

use crate::support::{Answer, SIMULATED, Workplace};

const SMALL: [&str; 10] =
    ["--images", "png", "--network", "probe", "--side", "32", "--size", "192x108", "--frames", "3"];

fn sample(work: &Workplace, folder: &str, args: &[&str]) -> Answer {
    work.run(&[&["sample", folder], &SMALL[..], args].concat())
}

/// Every file below a folder, by name.
fn contents(work: &Workplace, folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for name in work.names(folder) {
        let path = format!("{folder}/{name}");
        if work.path(&path).is_dir() {
            let below = contents(work, &path).into_iter();
            found.extend(below.map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.push((name, fs::read(work.path(&path)).unwrap()));
        }
    }
    found
}

#[test]
fn a_sample_is_complete_and_depends_on_the_seed_only() {
    let work = Workplace::empty();
    let answer = sample(&work, "a", &[]).assert_ok();
    assert!(answer.stderr.contains("wrote a: 3 frames of 192x108"), "{}", answer.stderr);
    assert!(answer.stderr.contains("next: engine-cli render a -o frames"), "{}", answer.stderr);
    sample(&work, "b", &["--seed", "7"]).assert_ok();
    sample(&work, "c", &["--seed", "8"]).assert_ok();
    let [a, b, c] = ["a", "b", "c"].map(|folder| contents(&work, folder));
    assert_eq!(a.len(), 18);
    assert!(a == b, "the default seed is 7");
    assert!(a != c);
    assert_eq!(work.names("."), ["a", "b", "c"]);

    let inspected = work.run(&["inspect", "a"]).assert_ok();
    assert!(inspected.text().contains("verdict     nothing wrong was found"));
    work.run(&[&["render", "a", "-o", "null"], &SIMULATED[..]].concat()).assert_ok();
}

#[test]
fn inspect_decodes_every_frame() {
    let work = Workplace::empty();
    sample(&work, "pkg", &[]).assert_ok();
    work.halve("pkg/full_body_img/2.png");
    work.run(&["inspect", "pkg"]).assert_failed(1, &["full_body_img/2.png"]);
}

#[test]
fn a_sample_replaces_samples_and_nothing_else() {
    let work = Workplace::empty();
    sample(&work, "pkg", &[]).assert_ok();
    sample(&work, "pkg", &["--frames", "2"]).assert_usage(&["--frames"]);
    sample(&work, "pkg", &["--seed", "9"]).assert_ok();
    let seed_9 = contents(&work, "pkg");
    work.write("pkg/diary.txt", "mine");
    sample(&work, "pkg", &[]).assert_refused(&["pkg exists", "diary.txt", "choose another"]);
    assert_eq!(fs::read(work.path("pkg/diary.txt")).unwrap(), b"mine");
    assert_eq!(contents(&work, "pkg").len(), seed_9.len() + 1);

    fs::remove_file(work.path("pkg/diary.txt")).unwrap();
    work.write("pkg/checkpoint/mine.onnx", "mine");
    sample(&work, "pkg", &[]).assert_refused(&["pkg exists", "mine.onnx"]);
    fs::remove_file(work.path("pkg/checkpoint/mine.onnx")).unwrap();
    work.write("pkg/song.wav", "mine");
    sample(&work, "pkg", &[]).assert_refused(&["pkg exists", "song.wav"]);
    fs::remove_file(work.path("pkg/song.wav")).unwrap();

    fs::create_dir(work.path("photos")).unwrap();
    work.write("photos/1.jpg", "mine");
    sample(&work, "photos", &[]).assert_refused(&["photos exists", "1.jpg"]);
    work.write("file", "mine");
    sample(&work, "file", &[]).assert_refused(&["file exists"]);
    fs::create_dir(work.path("empty")).unwrap();
    sample(&work, "empty", &[]).assert_ok();
    assert_eq!(work.names("."), ["empty", "file", "photos", "pkg"]);
}

#[test]
fn a_sample_takes_rectangles_from_a_file() {
    let work = Workplace::empty();
    work.write("rects.json", r#"{"0": {"rect": [10, 5, 40, 45]}, "1": {"rect": [12, 6, 44, 48]}}"#);
    sample(&work, "pkg", &["--rects", "rects.json"]).assert_ok();
    let text = fs::read(work.path("pkg/cache/crop_rectangles.json")).unwrap();
    let rects: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let rect = |frame: &str| rects[frame]["rect"].to_string();
    assert_eq!([rect("0"), rect("1"), rect("2")], ["[10,5,40,45]", "[12,6,44,48]", "[10,5,40,45]"]);

    sample(&work, "other", &["--rects", "none.json"])
        .assert_refused(&["none.json", "No such file"]);
    work.write("bad.json", r#"{"0": {"rect": [10, 5, 400, 45]}}"#);
    sample(&work, "other", &["--rects", "bad.json"]).assert_refused(&["bad.json", "400"]);
    work.run(&["sample", "other", "--side", "32"]).assert_refused(&["160 or 320", "probe"]);
    work.run(&["sample", "other", "--side", "8"]).assert_refused(&["--side is 8", "16 to 2048"]);
    work.run(&["sample", "other", "--size", "20x20"]).assert_usage(&["--size", "1280x720"]);
    assert_eq!(work.names("."), ["bad.json", "pkg", "rects.json"]);
}

#[test]
fn inspect_describes_packages_and_models() {
    let work = Workplace::new();
    let package = work.run(&["inspect", "pkg"]).assert_ok();
    for part in [
        "fits        side 32, crops of 40, batch any",
        "package     pkg (sample)",
        "frames      6 images of 192x108 at 25 frames/s",
        "inputs      package, derived",
        "rectangles  6 of ",
        "features    6 rows of 512",
        "verdict     nothing wrong was found",
    ] {
        assert!(package.text().contains(part), "no {part:?} in {}", package.text());
    }
    let model = work.run(&["inspect", "pkg/checkpoint/model_best.onnx"]).assert_ok();
    for part in ["opset       17", "input float32 [N,6,32,32]", "output float32 [N,3,32,32]"] {
        assert!(model.text().contains(part), "no {part:?} in {}", model.text());
    }
    fs::remove_dir_all(work.path("pkg/cache/rois_32")).unwrap();
    let derived = work.run(&["inspect", "pkg"]).assert_ok();
    assert!(
        derived.text().contains("inputs      derived only (pkg/cache/rois_32/0.jpg is missing")
    );
}

#[test]
fn inspect_says_what_is_wrong() {
    let work = Workplace::new();
    work.run(&["inspect", "none"]).assert_refused(&["none: no such file or folder"]);
    work.write("text", "not a model");
    work.run(&["inspect", "text"]).assert_refused(&["text is not an ONNX model"]);
    fs::create_dir(work.path("empty")).unwrap();
    work.run(&["inspect", "empty"]).assert_failed(1, &["empty is not an avatar package"]);
    work.halve("pkg/aud_ave.npy");
    let answer = work.run(&["inspect", "pkg"]);
    answer.assert_failed(1, &["pkg/aud_ave.npy: cut short"]);
    assert!(!answer.text().contains("verdict"));
    work.write("pkg/cache/crop_rectangles.json", "{}");
    work.run(&["inspect", "pkg"]).assert_failed(1, &["crop_rectangles.json", "is empty"]);
}

#[test]
fn help_for_every_command() {
    let work = Workplace::empty();
    for (command, flags) in [
        (&[][..], &["bench", "render", "tune", "sample", "inspect", "doctor"][..]),
        (
            &["bench"],
            &[
                "--batch",
                "--workers",
                "--package",
                "--model",
                "--backend",
                "--simulated-ms",
                "--provider",
                "--mode",
                "--sink",
                "--frames",
                "--warmup",
                "--repeat",
                "--compositor",
                "--threads",
                "--json",
                "--csv",
                "--markdown",
                "--frame-store",
                "--ram-budget",
                "--ort-lib",
                "--precision",
                "--openvino-lib",
                "--streams",
            ],
        ),
        (
            &["render"],
            &[
                "--output",
                "--model",
                "--features",
                "--audio",
                "--audio-encoder",
                "--ffmpeg",
                "--frames",
                "--batch",
                "--workers",
                "--backend",
                "--provider",
                "--compositor",
                "--mode",
                "--inputs",
                "--contact-sheet",
                "--profile",
                "--quiet",
            ],
        ),
        (
            &["tune"],
            &["--package", "--output", "--batch", "--workers", "--seconds", "--exhaustive"],
        ),
        (&["sample"], &["--frames", "--size", "--images", "--network", "--rects", "--seed"]),
        (&["inspect"], &["<PATH>"]),
        (&["doctor"], &["--ort-lib", "--openvino-lib", "--tensorrt-lib"]),
    ] {
        let answer = work.run(&[command, &["--help"]].concat()).assert_ok();
        for flag in flags {
            assert!(answer.text().contains(flag), "no {flag} in {}", answer.text());
        }
    }
    let version = work.run(&["--version"]).assert_ok();
    assert_eq!(version.text(), concat!("engine-cli ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn no_arguments_are_a_usage_error() {
    let work = Workplace::empty();
    let answer = work.run(&[]);
    assert_eq!((answer.code, &answer.stdout[..]), (Some(2), &b""[..]));
    assert!(answer.stderr.contains("Usage: engine-cli <COMMAND>"), "{}", answer.stderr);
    work.run(&["frobnicate"]).assert_usage(&["frobnicate"]);
    work.run(&["render", "pkg"]).assert_usage(&["--output"]);
}
