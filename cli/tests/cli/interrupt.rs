//! Ctrl-C.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

use crate::support::{Answer, Workplace, features, frame_names, interrupt, wait_for};

const SLOW: [&str; 4] = ["--backend", "simulated", "--simulated-ms", "20"];

#[test]
fn a_render_finishes_the_frames_in_flight() {
    for (mode, output, extension) in
        [("pipelined", "out", "png"), ("sequential", "out", "png"), ("pipelined", "jpg:out", "jpg")]
    {
        let work = Workplace::new();
        work.write("long.npy", features(2000));
        let args = ["render", "pkg", "-o", output, "--features", "long.npy", "--mode", mode];
        let sheet = ["--contact-sheet", "sheet.png"];
        let args = [&args[..], &sheet, &SLOW].concat();
        let child = work.start(&args);
        wait_for("the first frame", || work.names("out").iter().any(|name| name.starts_with('f')));
        interrupt(&child);
        let answer = Answer::of(&args, child.wait_with_output().unwrap());

        assert_eq!(answer.code, Some(130), "{}", answer.stderr);
        assert!(answer.stderr.contains("interrupted: finishing what is under way"));
        assert!(!answer.stderr.contains("error:"), "{}", answer.stderr);
        let names = work.names("out");
        assert!((1..2000).contains(&names.len()), "{} frames", names.len());
        assert_eq!(names, frame_names(names.len(), extension));
        let said = format!("rendered    {} of 2000 frames", names.len());
        assert!(answer.stderr.contains(&said), "no {said:?} in {}", answer.stderr);
        for name in names {
            assert!(image::open(work.path("out").join(&name)).is_ok(), "{name} is not whole");
        }
        assert_eq!(work.names("."), ["long.npy", "out", "pkg", "sheet.png"]);
        assert!(image::open(work.path("sheet.png")).is_ok());
    }
}

#[test]
fn a_sample_leaves_nothing_behind() {
    let work = Workplace::empty();
    let args = ["sample", "pkg", "--images", "png", "--network", "probe", "--frames", "100000"];
    let child = work.start(&args);
    wait_for("drawing", || !work.names(".").is_empty());
    interrupt(&child);
    let answer = Answer::of(&args, child.wait_with_output().unwrap());
    assert_eq!(answer.code, Some(130), "{}", answer.stderr);
    assert!(!answer.stderr.contains("error:"), "{}", answer.stderr);
    assert_eq!(work.names("."), [""; 0]);
}

#[test]
fn a_bench_keeps_the_runs_that_are_whole() {
    let work = Workplace::new();
    let args = ["bench", "--package", "pkg", "--json", "out.json", "--frames", "20"];
    let grid = ["--warmup", "0", "--batch", "1,2,3,4,5,6,7,8", "--workers", "1"];
    let args = [&args[..], &grid, &SLOW].concat();
    let child = work.start(&args);
    wait_for("the first run", || work.path("out.json").exists());
    interrupt(&child);
    let answer = Answer::of(&args, child.wait_with_output().unwrap());

    assert_eq!(answer.code, Some(130), "{}", answer.stderr);
    assert!(!answer.stderr.contains("error:"), "{}", answer.stderr);
    let report = std::fs::read(work.path("out.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let runs = report["runs"].as_array().unwrap();
    assert!((1..9).contains(&runs.len()), "{} runs", runs.len());
    assert!(runs.iter().all(|run| run["frames"] == 20));
    assert!(answer.text().contains("batch 1, workers 1 (sequential)"), "{}", answer.text());
    assert_eq!(work.names("."), ["out.json", "pkg"]);
}

#[test]
fn a_second_one_ends_at_once() {
    let work = Workplace::new();
    // No batch ends before the test is over.
    let slow = ["--backend", "simulated", "--simulated-ms", "60000"];
    let args = [&["render", "pkg", "-o", "out"], &slow[..]].concat();
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut child = work.start(&args);
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut hear = |part: &str| {
            let heard = said.by_ref().any(|line| line.unwrap().contains(part));
            assert!(heard, "it did not say {part:?}");
        };
        let send = |child: &Child| {
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(sent.unwrap().success());
        };
        hear("threads");
        wait_for("the first file", || work.path("out").exists());
        send(&child);
        hear("interrupted");
        send(&child);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}
