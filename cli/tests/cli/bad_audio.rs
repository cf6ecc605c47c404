//! Sound that cannot be used, and encoders that are none.

use std::process::Command;

use crate::audio::{can_hear, make_sound};
use crate::support::{Workplace, has_onnxruntime};

#[test]
fn sound_is_refused_by_name() {
    if !can_hear() {
        return;
    }
    let work = Workplace::new();
    work.write("empty.wav", "");
    work.write("text.wav", "these are words");
    make_sound(&work, "nan.wav", &["aevalsrc=0/0:s=16000:d=0.1", "-c:a", "pcm_f32le"]);
    make_sound(&work, "film.avi", &["testsrc=s=64x64:d=0.2", "-c:v", "mpeg4"]);
    make_sound(&work, "header.wav", &["aevalsrc=0:s=16000:d=0.1"]);
    work.write("header.wav", &std::fs::read(work.path("header.wav")).unwrap()[..30]);
    assert!(Command::new("mkfifo").arg(work.path("pipe.wav")).status().unwrap().success());
    for (name, parts) in [
        ("none.wav", &["cannot read the sound none.wav", "No such file"][..]),
        ("pkg", &["cannot read the sound pkg", "Is a directory"]),
        ("pipe.wav", &["cannot read the sound pipe.wav", "expected a regular file"]),
        ("empty.wav", &["empty.wav: the file is empty; expected a sound file"]),
        ("text.wav", &["text.wav: ffmpeg cannot decode this", "Invalid data"]),
        ("header.wav", &["header.wav: ffmpeg cannot decode this"]),
        ("nan.wav", &["nan.wav: the sound has a sample of NaN at 0.000 s"]),
        ("film.avi", &["film.avi: there is no sound in this file"]),
    ] {
        work.assert_render_refused(&["--audio", name], parts);
    }
    work.assert_render_refused(
        &["--audio", "pkg/speech.wav", "--ffmpeg", "/no/ffmpeg"],
        &["cannot run /no/ffmpeg", "--ffmpeg", "No such file"],
    );
}

#[test]
fn encoders_are_refused_by_name() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    work.write("text.onnx", "no model");
    for (encoder, parts) in [
        ("none.onnx", &["cannot read the model none.onnx", "No such file"][..]),
        ("text.onnx", &["text.onnx is not an ONNX model"]),
        (
            "pkg/checkpoint/model_best.onnx",
            &["model_best.onnx: this is no audio encoder", "2 inputs", "float32 [N,1,80,16]"],
        ),
    ] {
        let args = ["--audio", "pkg/speech.wav", "--audio-encoder", encoder];
        work.assert_render_refused(&args, parts);
    }
    let no_library = ["--audio", "pkg/speech.wav", "--ort-lib", "/no/lib.so"];
    work.assert_render_refused(&no_library, &["/no/lib.so", "--ort-lib"]);
}

#[test]
fn a_sound_that_is_cut_short_is_used_as_far_as_it_goes() {
    if !can_hear() {
        return;
    }
    let work = Workplace::new();
    make_sound(&work, "cut.wav", &["sine=r=16000:d=2"]);
    work.halve("cut.wav");
    let answer = work.render(&["--quiet", "--audio", "cut.wav"]).assert_ok();
    let said = &answer.stderr;
    assert!(said.starts_with("warning: cut.wav: it may be damaged or cut short, 1.00 s"), "{said}");
    assert!(said.contains("ffmpeg says: Packet corrupt"), "{said}");
    assert_eq!(work.names("out").len(), 25);
}
