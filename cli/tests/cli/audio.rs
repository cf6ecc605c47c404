//! `--audio`: sound in, frames that follow it out.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use engine::frame::Size;
use engine::sample::{NetworkKind, SampleOptions};
use serde_json::Value;

use crate::support::{
    FRAMES, SIMULATED, Workplace, features, frame_names, has_onnxruntime, interrupt, small,
};

/// Whether sound can be decoded and encoded; says so where it cannot.
pub(crate) fn can_hear() -> bool {
    if let Err(error) = Command::new("ffmpeg").arg("-version").output() {
        eprintln!("SKIPPED: no ffmpeg on PATH ({error}); run scripts/setup");
        return false;
    }
    has_onnxruntime()
}

/// Has ffmpeg make a sound file.
pub(crate) fn make_sound(work: &Workplace, name: &str, args: &[&str]) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"]).args(args);
    let output = command.arg(work.path(name)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_frame_for_every_25th_of_a_second() {
    if !can_hear() {
        return;
    }
    let work = Workplace::new();
    let answer = work.render(&["--audio", "pkg/speech.wav"]).assert_ok();
    assert_eq!(work.names("out"), frame_names(FRAMES, "png"));
    let said = "audio       pkg/speech.wav: 0.24 s, 6 frames; encoder \
                pkg/checkpoint/audio_encoder.onnx, any number at a time\n";
    assert!(answer.stderr.contains(said), "no {said:?} in {}", answer.stderr);

    // Another rate, two channels, a name that looks like a protocol, a package without features.
    make_sound(&work, "made.wav", &["aevalsrc=0|0:s=44100:d=0.41"]);
    fs::rename(work.path("made.wav"), work.path("http: a.wav")).unwrap();
    fs::remove_file(work.path("pkg/aud_ave.npy")).unwrap();
    let sound = ["--audio", "http: a.wav", "--frames", "9"];
    work.render(&sound).assert_ok();
    assert_eq!(work.names("out"), frame_names(9, "png"));
    let answer = work.render(&["--audio", "http: a.wav", "--frames", "12"]);
    answer.assert_refused(&["--frames is 12", "http: a.wav has 11 feature rows"]);

    let bench = ["bench", "--package", "pkg", "--audio", "http: a.wav", "--frames", "12"];
    work.run(&[&bench, &SIMULATED[..]].concat()).assert_ok();
}

#[test]
fn features_decide_over_the_sound() {
    let work = Workplace::new();
    work.write("four.npy", features(4));
    let answer = work.render(&["--features", "four.npy", "--audio", "speech.wav"]).assert_ok();
    let said = "audio       speech.wav: not used, since png:out is no video\n";
    assert!(answer.stderr.contains(said), "no {said:?} in {}", answer.stderr);
    assert_eq!(work.names("out"), frame_names(4, "png"));
}

#[test]
fn the_encoder_is_the_package_s_or_the_one_that_is_named() {
    if !can_hear() {
        return;
    }
    let work = Workplace::new();
    fs::rename(work.path("pkg/checkpoint/audio_encoder.onnx"), work.path("e.onnx")).unwrap();
    let sound = ["--audio", "pkg/speech.wav"];
    work.assert_render_refused(
        &sound,
        &["--audio needs an audio encoder", "audio_encoder.onnx", "--audio-encoder FILE.onnx"],
    );
    work.render(&[&sound[..], &["--audio-encoder", "e.onnx"]].concat()).assert_ok();
    assert_eq!(work.names("out"), frame_names(FRAMES, "png"));
    work.render(&["--audio-encoder", "e.onnx"]).assert_usage(&["--audio <FILE>"]);
}

#[test]
fn ctrl_c_ends_the_encoding() {
    if !can_hear() {
        return;
    }
    let work = Workplace::new();
    make_sound(&work, "long.wav", &["anullsrc=r=16000:cl=mono", "-t", "1200"]);
    let args = ["render", "pkg", "-o", "out", "--audio", "long.wav"];
    let mut child = work.start(&[&args, &SIMULATED[..]].concat());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // The package is opened after the sound and before the encoder begins.
    while !said.contains("package ") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    interrupt(&child);
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(!said.contains("error:") && !said.contains("rendered"), "{said}");
    assert_eq!(work.names("out"), [""; 0]);
}

/// Size of the demo's frames and number of them: 4 s.
const DEMO: (Size, usize) = (Size::new(480, 270), 100);

/// How dark it is where the open mouth is, in each of the frames that `args` render.
fn darkness(work: &Workplace, args: &[&str]) -> Vec<f64> {
    let frames = work.run(&[&["render", "pkg", "-q", "-o", "raw:-"], args].concat()).assert_ok();
    let rects = fs::read(work.path("pkg/cache/crop_rectangles.json")).unwrap();
    let rects: Value = serde_json::from_slice(&rects).unwrap();
    let dark = |(k, frame): (usize, &[u8])| {
        let edge = |i: usize| rects[k.to_string()]["rect"][i].as_u64().unwrap() as usize;
        let (x, y, width) = (edge(0), edge(1), edge(2) - edge(0));
        let columns = 3 * (x + width * 2 / 5)..3 * (x + width * 3 / 5);
        let rows = y + width * 57 / 100..y + width * 76 / 100;
        let bytes = rows.flat_map(|y| &frame[y * DEMO.0.stride()..][columns.clone()]);
        let (sum, count) = bytes.fold((0, 0), |(sum, n), &byte| (sum + u64::from(byte), n + 1));
        1.0 - sum as f64 / f64::from(count) / 255.0
    };
    frames.stdout.chunks(DEMO.0.bytes()).enumerate().map(dark).collect()
}

/// Root mean square of the samples in the time of each frame.
fn envelope(work: &Workplace) -> Vec<f64> {
    let wav = fs::read(work.path("pkg/speech.wav")).unwrap();
    let (samples, _) = wav[44..].as_chunks::<2>();
    let loud = |samples: &[[u8; 2]]| {
        let squares = samples.iter().map(|&s| f64::from(i16::from_le_bytes(s)).powi(2));
        (squares.sum::<f64>() / samples.len() as f64).sqrt()
    };
    samples.chunks(640).map(loud).collect()
}

/// Pearson's.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let around = |values: &[f64]| values.iter().map(|v| v - mean(values)).collect::<Vec<f64>>();
    let (a, b) = (around(a), around(b));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn the_demo_s_mouth_follows_the_sound() {
    if !can_hear() {
        return;
    }
    let (size, frames) = DEMO;
    let work = Workplace::with(&SampleOptions {
        frames,
        size,
        side: 160,
        network: NetworkKind::Demo,
        seed: 7,
        ..small()
    });
    let heard = darkness(&work, &["--audio", "pkg/speech.wav"]);
    let loud = envelope(&work);
    let follows = correlation(&heard, &loud);
    println!("mouth and sound: {follows:.3}");
    assert!(follows > 0.85, "the mouth and the sound correlate by {follows} only");
    // Not a little before or after.
    for late in 1..4 {
        assert!(correlation(&heard[late..], &loud[..frames - late]) < follows, "{late} late");
        assert!(correlation(&heard[..frames - late], &loud[late..]) < follows, "{late} early");
    }
    let range = |values: &[f64]| {
        let (low, high) = values.iter().fold((1.0_f64, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
        high - low
    };
    // The package's own features say the same, and in silence nothing moves.
    let stored = darkness(&work, &[]);
    let apart = heard.iter().zip(&stored).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 0.01, "{apart} apart from what the package's features give");
    make_sound(&work, "silence.wav", &["anullsrc=r=16000:cl=mono", "-t", "4"]);
    let silent = darkness(&work, &["--audio", "silence.wav"]);
    println!("range with speech {:.3}, in silence {:.3}", range(&heard), range(&silent));
    assert!(range(&silent) * 4.0 < range(&heard));
}
