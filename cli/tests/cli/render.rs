//! The main job: a package in, frames out.

use std::fs;

use engine::sample::{Form, SampleOptions};
use engine::sink::ImageFormat;

use crate::support::{
    FRAMES, SIMULATED, SIZE, Workplace, bgr, features, frame_names, has_onnxruntime, small,
};

#[test]
fn every_sink_gets_the_same_frames() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    let render = |output: &str| work.run(&["render", "pkg", "-o", output]).assert_ok();
    let answer = render("out");
    assert!(answer.stderr.contains("rendered    6 of 6 frames"), "{}", answer.stderr);
    assert!(answer.stderr.contains("written to  out\n"), "{}", answer.stderr);
    assert_eq!(answer.stdout, b"");
    render("png:out2");
    render("jpg:jpg");
    render("raw:frames.raw");
    let piped = render("raw:-").stdout;

    assert_eq!(work.names("out"), frame_names(FRAMES, "png"));
    assert_eq!(work.names("jpg"), frame_names(FRAMES, "jpg"));
    let mut pixels = Vec::new();
    for name in work.names("out") {
        let png = bgr(&work.path("out").join(&name));
        assert_eq!(png.len(), SIZE.bytes());
        assert_eq!(png, bgr(&work.path("out2").join(&name)), "{name}");
        let jpg = bgr(&work.path("jpg").join(name.replace("png", "jpg")));
        let apart: u64 = png.iter().zip(&jpg).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!((apart as f64) < 4.0 * png.len() as f64, "{name} as JPG is another picture");
        pixels.extend(png);
    }
    assert!(pixels == fs::read(work.path("frames.raw")).unwrap());
    assert!(pixels == piped);
    let frames: Vec<_> = pixels.chunks(SIZE.bytes()).collect();
    assert_ne!(frames[0], frames[1]);
}

#[test]
fn stores_modes_batches_and_compositors_give_the_same_bytes() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    work.write("long.npy", features(15));
    let raw = |args: &[&str]| {
        let render = ["render", "pkg", "-q", "-o", "raw:-", "--features", "long.npy"];
        work.run(&[&render, args].concat()).assert_ok().stdout
    };
    let expected = raw(&[]);
    assert_eq!(expected.len(), 15 * SIZE.bytes());
    for args in [
        &["--frame-store", "ram"][..],
        &["--frame-store", "stream"],
        &["--mode", "sequential"],
        &["--mode", "sequential", "--frame-store", "stream", "--batch", "1"],
        &["--batch", "3", "--workers", "4"],
        &["--batch", "8", "--workers", "1", "--threads", "1"],
        &["--compositor", "scalar"],
        // PNG files are lossless, so what is derived is what is stored.
        &["--inputs", "derived"],
    ] {
        assert!(raw(args) == expected, "{args:?}");
    }
    if cfg!(feature = "opencv") {
        assert!(raw(&["--compositor", "opencv"]) == expected);
    }
    assert!(raw(&["--interpolation", "cubic"]) != expected);
}

#[test]
fn derived_inputs_need_only_the_crops() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::with(&SampleOptions { form: Form::Images(ImageFormat::Jpg), ..small() });
    let raw = |inputs| {
        let args = ["render", "pkg", "-q", "-o", "raw:-", "--inputs", inputs];
        work.run(&args).assert_ok().stdout
    };
    let (stored, derived) = (raw("package"), raw("derived"));
    assert!(stored != derived, "JPG is lossy, so stored rois differ from derived ones");
    fs::remove_dir_all(work.path("pkg/cache/rois_32")).unwrap();
    fs::remove_dir_all(work.path("pkg/cache/model_inputs")).unwrap();
    assert!(raw("derived") == derived);
    work.run(&["render", "pkg", "-o", "out"]).assert_refused(&["--inputs derived"]);
}

#[test]
fn the_background_goes_there_and_back() {
    let work = Workplace::new();
    work.write("long.npy", features(12));
    work.render(&["--features", "long.npy"]).assert_ok();
    assert_eq!(work.names("out"), frame_names(12, "png"));
    // The first row of pixels is background in every frame.
    let top = |path: &str| bgr(&work.path(path))[..SIZE.stride()].to_vec();
    let turns = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1];
    for (index, frame) in turns.iter().enumerate() {
        let background = top(&format!("pkg/full_body_img/{frame}.png"));
        assert_eq!(top(&format!("out/frame_{index:05}.png")), background, "frame {index}");
    }
}

#[test]
fn a_second_render_replaces_the_first_and_nothing_else() {
    let work = Workplace::new();
    work.render(&[]).assert_ok();
    let first = fs::read(work.path("out/frame_00002.png")).unwrap();
    work.write("out/frame_00002.png", "stale");
    work.write("out/notes.txt", "kept");
    work.render(&["--frames", "4"]).assert_ok();
    assert!(fs::read(work.path("out/frame_00002.png")).unwrap() == first);
    assert_eq!(fs::read(work.path("out/notes.txt")).unwrap(), b"kept");
    let expected = [frame_names(FRAMES, "png"), vec!["notes.txt".to_owned()]].concat();
    assert_eq!(work.names("out"), expected);

    work.write("frames.raw", "stale");
    let raw = ["render", "pkg", "-o", "raw:frames.raw"];
    work.run(&[&raw, &SIMULATED[..]].concat()).assert_ok();
    let length = fs::metadata(work.path("frames.raw")).unwrap().len();
    assert_eq!(length, (FRAMES * SIZE.bytes()) as u64);
}

#[test]
fn fewer_frames_are_the_first_ones() {
    let work = Workplace::new();
    let raw = |args: &[&str]| {
        let render = ["render", "pkg", "-q", "-o", "raw:-"];
        work.run(&[&render, &SIMULATED[..], args].concat()).assert_ok().stdout
    };
    assert!(raw(&["--frames", "3"])[..] == raw(&[])[..3 * SIZE.bytes()]);
}

#[test]
fn quiet_is_silent() {
    let work = Workplace::new();
    let answer = work.render(&["--quiet", "--contact-sheet", "sheet.png"]).assert_ok();
    assert_eq!((answer.stdout, answer.stderr), (vec![], String::new()));
    assert_eq!(work.names("out").len(), FRAMES);
    let sheet = image::open(work.path("sheet.png")).unwrap();
    assert!(sheet.width() > SIZE.width as u32 && sheet.height() > SIZE.height as u32);
}

#[test]
fn says_what_it_does_with_memory_and_threads() {
    let work = Workplace::new();
    let answer = work.render(&["--workers", "3", "--batch", "4"]).assert_ok();
    for part in [
        "package     pkg: 6 background frames of 192x108, package inputs, images\n",
        "network     pkg/checkpoint/model_best.onnx: 32 x 32 on simulated (0.1 ms a frame)\n",
        "frames      in RAM: 0 MB, loaded in 0.",
        "threads     backend 0, composite 3, decoder 0, sink ",
    ] {
        assert!(answer.stderr.contains(part), "no {part:?} in {}", answer.stderr);
    }
    let answer = work.render(&["--frame-store", "stream"]).assert_ok();
    assert!(answer.stderr.contains("frames      decoded ahead\n"), "{}", answer.stderr);
    assert!(answer.stderr.contains("decoder 1"), "{}", answer.stderr);
    let answer = work.render(&["--ram-budget", "1k"]).assert_ok();
    assert!(answer.stderr.contains("do not fit the budget"), "{}", answer.stderr);
}

#[cfg(feature = "opencv")]
#[test]
fn videos_give_the_same_bytes_from_both_stores() {
    let work = Workplace::with(&SampleOptions { form: Form::Videos, ..small() });
    work.write("long.npy", features(15));
    let raw = |store| {
        let render = ["render", "pkg", "-q", "-o", "raw:-", "--features", "long.npy"];
        let args = [&render, &SIMULATED[..], &["--frame-store", store]].concat();
        work.run(&args).assert_ok().stdout
    };
    let ram = raw("ram");
    assert_eq!(ram.len(), 15 * SIZE.bytes());
    assert!(raw("stream") == ram);
}
