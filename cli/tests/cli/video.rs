//! `render -o out.mp4`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use engine::sample::SampleOptions;

use crate::support::{
    Answer, FRAMES, SIMULATED, SmallDisk, Workplace, features, interrupt, small, wait_for,
};

const SLOW: [&str; 4] = ["--backend", "simulated", "--simulated-ms", "4"];

/// Whether the tests that encode can; says so where they cannot.
fn has_ffmpeg() -> bool {
    let found = ["ffmpeg", "ffprobe"].map(|name| Command::new(name).arg("-version").output());
    let has = found.iter().all(|output| output.as_ref().is_ok_and(|found| found.status.success()));
    if !has {
        eprintln!("SKIPPED: no ffmpeg and ffprobe on PATH; run scripts/setup");
    }
    has
}

fn render(work: &Workplace, output: &str, args: &[&str]) -> Answer {
    work.run(&[&["render", "pkg", "-o", output], &SIMULATED[..], args].concat())
}

/// Number of frames and length in seconds.
fn probe(file: &Path) -> (u64, f64) {
    let entries = ["-show_entries", "stream=nb_frames,duration", "-select_streams", "v"];
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(entries)
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let (duration, frames) = text.trim().split_once(',').unwrap();
    (frames.parse().unwrap(), duration.parse().unwrap())
}

#[test]
fn as_many_frames_as_feature_rows() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    for rows in [1, 2, 3, 7, 8, 9, 24, 25, 26, 251] {
        work.write("rows.npy", features(rows));
        let batches: &[usize] = match rows {
            26 => &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            _ => &[1, 4],
        };
        for batch in batches {
            let args = ["--features", "rows.npy", "--batch", &batch.to_string(), "--segment", "4"];
            render(&work, "out.mp4", &args).assert_ok();
            let found = probe(&work.path("out.mp4"));
            assert_eq!(found, (rows as u64, rows as f64 / 25.0), "{rows} rows, batch {batch}");
        }
    }
    assert_eq!(work.names("."), ["out.mp4", "pkg", "rows.npy"]);
}

#[test]
fn the_bytes_do_not_depend_on_batch_and_workers() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    work.write("rows.npy", features(60));
    let mut expected = None;
    for (batch, workers, mode) in [(4, 2, "pipelined"), (1, 1, "sequential"), (2, 4, "pipelined")] {
        let (batch, workers) = (batch.to_string(), workers.to_string());
        // A second is a multiple of none but the first batch; the parts must be the same.
        let args =
            ["--features", "rows.npy", "--batch", &batch, "--workers", &workers, "--mode", mode];
        render(&work, "out.mp4", &[&args[..], &["--segment", "0.96"]].concat()).assert_ok();
        let bytes = fs::read(work.path("out.mp4")).unwrap();
        assert!(*expected.get_or_insert_with(|| bytes.clone()) == bytes, "batch {batch}");
    }
}

#[test]
fn another_rate_keeps_the_speed() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    work.write("rows.npy", features(50));
    for (rate, frames) in [("25", 50), ("50", 100), ("12.5", 25), ("30", 60), ("30000/1001", 60)] {
        let args = ["--features", "rows.npy", "--fps", rate, "--segment", "0.7"];
        render(&work, "out.mp4", &args).assert_ok();
        let (found, seconds) = probe(&work.path("out.mp4"));
        assert_eq!(found, frames, "{rate}");
        assert!((seconds - 2.0).abs() < 0.01, "{rate}: {seconds}");
    }
    render(&work, "out.mp4", &["--fps", "0"]).assert_usage(&["--fps", "no frame rate"]);
    render(&work, "out.mp4", &["--features", "rows.npy", "--fps", "50", "--frames", "101"])
        .assert_refused(&["--frames is 101", "50 feature rows", "100 frames"]);
}

/// Starts a render and kills it once it has said that `frames` are done. Returns how many it had
/// said last.
fn killed_at(work: &Workplace, args: &[&str], frames: u64) -> u64 {
    let mut child =
        work.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        seen = event["progress"]["frames"].as_u64().unwrap_or(seen);
        if seen >= frames {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    seen
}

#[test]
fn a_killed_render_continues_with_the_same_bytes() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    let rounds = if std::env::var_os("ENGINE_SOAK").is_some() { 10 } else { 3 };
    let total = 500 * rounds;
    work.write("rows.npy", features(total as usize));
    let rows = ["--features", "rows.npy", "--segment", "2"];
    let base = [&["render", "pkg", "--batch", "4", "--json-progress"], &rows[..], &SLOW].concat();
    let whole = [&base[..], &["-o", "whole.mp4"]].concat();
    work.run(&whole).assert_ok();
    let expected = fs::read(work.path("whole.mp4")).unwrap();

    let resume = [&base[..], &["-o", "out.mp4", "--resume"]].concat();
    // Moments that have nothing to do with segments of 52 frames, of which batches of 4 are a part.
    let mut random = 0x9e37_79b9_u64;
    let mut done = 0;
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = done + 1 + random % 400;
        let seen = killed_at(&work, &resume, at.min(total - 20));
        let kept = work.names("out.mp4.segments");
        let kept = kept.iter().filter(|name| name.ends_with(".mp4")).count() as u64 * 52;
        // What was on its way to the encoder was not in a segment yet.
        assert!(kept + 52 + 16 > seen, "round {round}: {seen} frames were done, {kept} are kept");
        done = kept;
    }
    assert!(!work.path("out.mp4").exists());
    let last = work.run(&resume).assert_ok();
    let first = last.text().lines().next().unwrap().to_owned();
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert!(first["progress"]["frames"].as_u64().unwrap() > done, "{first}");
    assert!(fs::read(work.path("out.mp4")).unwrap() == expected, "other bytes");
    assert_eq!(work.names("."), ["out.mp4", "pkg", "rows.npy", "whole.mp4"]);
}

#[test]
fn ctrl_c_keeps_what_is_whole_and_says_how_to_go_on() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    work.write("rows.npy", features(2000));
    work.write("out.mp4", "the one before");
    let rows = ["--features", "rows.npy", "--segment", "0.5"];
    let args = [&["render", "pkg", "-o", "out.mp4"], &rows[..], &SLOW].concat();
    let child = work.start(&args);
    wait_for("a segment", || work.path("out.mp4.segments/00001.mp4").exists());
    interrupt(&child);
    let answer = Answer::of(&args, child.wait_with_output().unwrap());
    assert_eq!(answer.code, Some(130), "{}", answer.stderr);
    assert_eq!(fs::read(work.path("out.mp4")).unwrap(), b"the one before");
    let left = work.names("out.mp4.segments");
    assert!(!left.iter().any(|name| name.contains("part")), "{left:?}");

    // A second thought is not taken for granted.
    work.run(&args).assert_refused(&[
        "out.mp4.segments",
        "of 2000 frames",
        "--resume",
        "--restart",
    ]);
    work.write("other.npy", [&features(2000)[..2000 * 2048], &[0; 2048 + 128]].concat());
    let other: Vec<&str> = args
        .iter()
        .map(|word| if *word == "rows.npy" { "pkg/aud_ave.npy" } else { word })
        .collect();
    work.run(&[&other[..], &["--resume"]].concat()).assert_refused(&[
        "cannot be resumed",
        "the number of frames was 2000 and is 6",
        "features",
    ]);
    work.run(&[&args[..], &["--resume", "--crf", "30"]].concat())
        .assert_refused(&["the video codec was libx264 veryfast quality 18 and is", "quality 30"]);

    let line = answer.stderr.lines().find(|line| line.starts_with("to continue: ")).unwrap();
    let command: Vec<&str> = line["to continue: engine-cli ".len()..].split(' ').collect();
    let resumed = work.run(&command).assert_ok();
    assert!(resumed.stderr.contains("resuming    with frame "), "{}", resumed.stderr);
    assert_eq!(probe(&work.path("out.mp4")).0, 2000);
    assert!(!work.path("out.mp4.segments").exists());
}

#[test]
fn a_part_that_was_damaged_is_made_again() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    work.write("rows.npy", features(300));
    let settings = ["--features", "rows.npy", "--segment", "2", "--json-progress"];
    let base = [&["render", "pkg", "--batch", "4"], &settings[..], &SLOW].concat();
    work.run(&[&base[..], &["-o", "whole.mp4"]].concat()).assert_ok();
    let resume = [&base[..], &["-o", "out.mp4", "--resume"]].concat();
    killed_at(&work, &resume, 200);
    let part = work.path("out.mp4.segments/00001.mp4");
    let bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    for damaged in [[&bytes[..middle], b"x", &bytes[middle + 1..]].concat(), bytes[..middle].into()]
    {
        fs::write(&part, damaged).unwrap();
        // Without progress for programs, to hear about it; killed again before it is done.
        let people: Vec<&str> =
            resume.iter().copied().filter(|word| *word != "--json-progress").collect();
        let mut child = work.start(&people);
        wait_for("the part", || fs::read(&part).is_ok_and(|now| now == bytes));
        child.kill().unwrap();
        let answer = Answer::of(&people, child.wait_with_output().unwrap());
        let warning = "out.mp4.segments/00001.mp4 was damaged and is made again";
        assert!(answer.stderr.contains(warning), "{}", answer.stderr);
        assert!(answer.stderr.contains("resuming    with frame 52 of 300"), "{}", answer.stderr);
    }
    work.run(&resume).assert_ok();
    let [out, whole] = ["out.mp4", "whole.mp4"].map(|name| fs::read(work.path(name)).unwrap());
    assert!(out == whole, "other bytes");
}

#[test]
fn pictures_and_sound_begin_together_in_every_container() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    for name in ["out.mp4", "out.mov", "out.mkv", "OUT.MKV"] {
        render(&work, name, &["--features", "pkg/aud_ave.npy", "--audio", "pkg/speech.wav"])
            .assert_ok();
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-of", "csv=p=0", "-show_entries", "packet=pts_time"])
            .args(["-select_streams", "v", "-read_intervals", "%+#1"])
            .arg(work.path(name))
            .output()
            .unwrap();
        let first = String::from_utf8(output.stdout).unwrap();
        assert_eq!(first.trim().trim_end_matches(',').parse::<f64>(), Ok(0.0), "{name}");
    }
}

#[test]
fn what_was_killed_before_a_part_was_whole_is_in_nobody_s_way() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    work.write("rows.npy", features(2000));
    let args = ["render", "pkg", "-o", "out.mp4", "--features", "rows.npy"];
    let mut child = work.start(&[&args[..], &SLOW].concat());
    wait_for("a manifest", || work.path("out.mp4.segments/manifest.json").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(work.path("out.mp4.segments").exists());
    render(&work, "out.mp4", &[]).assert_ok();
    assert_eq!(probe(&work.path("out.mp4")).0, FRAMES as u64);
    assert!(!work.path("out.mp4.segments").exists());
}

/// A program that says it is ffmpeg, and then does something else.
fn impostor(work: &Workplace, what: &str) {
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *-version*) echo ffmpeg version 1; exit;; esac\n{what}\n"
    );
    work.write("impostor", script);
    let path = work.path("impostor");
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn an_encoder_that_fails_is_heard() {
    let work = Workplace::new();
    work.write("rows.npy", features(300));
    work.write("out.mp4", "the one before");
    for (what, parts) in [
        (
            "head -c 100000 >/dev/null; kill -9 $$",
            &["ffmpeg was killed by signal 9", "encoding frame"][..],
        ),
        ("echo the encoder is on strike >&2; exit 3", &["failed (exit status 3)", "on strike"]),
        (
            "cat >/dev/null; echo too late >&2; exit 1",
            &["exit status 1", "too late", "up to frame"],
        ),
        ("exit 0", &["out.mp4.segments/00000.mp4", "Broken pipe"]),
    ] {
        impostor(&work, what);
        for mode in ["pipelined", "sequential"] {
            let args = ["--features", "rows.npy", "--ffmpeg", "./impostor", "--mode", mode];
            render(&work, "out.mp4", &args).assert_refused(parts);
            assert_eq!(fs::read(work.path("out.mp4")).unwrap(), b"the one before", "{what}");
            // There is nothing to continue with.
            assert!(!work.path("out.mp4.segments").exists(), "{what}");
        }
    }
    for (program, parts) in [
        ("./none", &["./none: no such program", "apt-get install ffmpeg"][..]),
        ("./rows.npy", &["./rows.npy: cannot be run as ffmpeg", "Permission denied"]),
        ("true", &["true: cannot be run as ffmpeg", "does not say"]),
    ] {
        render(&work, "new.mp4", &["--ffmpeg", program]).assert_refused(parts);
    }
    assert!(!work.path("new.mp4.segments").exists());
}

#[test]
fn settings_that_no_video_has() {
    let work = Workplace::new();
    render(&work, "out.avi", &[]).assert_usage(&[".mp4, .mov or .mkv"]);
    render(&work, "out.mp4", &["--resume", "--restart"]).assert_usage(&["--restart"]);
    render(&work, "out", &["--resume"]).assert_refused(&["--resume", "png:out"]);
    render(&work, "raw:-", &["--json-progress"]).assert_refused(&["--json-progress", "raw:FILE"]);
    render(&work, "out.mp4", &["--segment", "0"]).assert_usage(&["--segment"]);
    if !has_ffmpeg() {
        return;
    }
    render(&work, "out.mp4", &["--crf", "99"]).assert_refused(&["libx264", "0 to 51"]);
    render(&work, "none/out.mp4", &[]).assert_refused(&["/none: there is no such folder"]);
    fs::create_dir(work.path("folder.mp4")).unwrap();
    render(&work, "folder.mp4", &[]).assert_refused(&["folder.mp4 is a folder"]);
    work.write("taken.mp4.segments", "a file");
    render(&work, "taken.mp4", &[]).assert_refused(&["taken.mp4.segments", "is no folder"]);
    let codec = ["--video-codec", "no_such_codec"];
    render(&work, "out.mp4", &codec).assert_refused(&["Unknown encoder 'no_such_codec'"]);
    assert!(!work.path("out.mp4").exists() && !work.path("out.mp4.segments").exists());
}

#[test]
fn a_full_disk_leaves_what_is_whole() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    work.write("rows.npy", features(2000));
    let folder = work.path("disk");
    let Some(disk) = SmallDisk::mount(&folder, "600k") else { return };
    work.write("disk/out.mp4", "the one before");
    // Noise does not compress, but these frames do: little quality loss makes them large enough.
    let args = ["--features", "rows.npy", "--segment", "2", "--crf", "0"];
    render(&work, "disk/out.mp4", &args).assert_refused(&["No space left on device"]);
    assert_eq!(fs::read(work.path("disk/out.mp4")).unwrap(), b"the one before");
    let left = work.names("disk/out.mp4.segments");
    assert!(!left.iter().any(|name| name.contains("part")), "{left:?}");
    drop(disk);
}

/// Resident memory of a process in MB, and of its children.
fn resident(process: u32) -> (f64, f64) {
    let kilobytes = |process: &str| -> f64 {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.map_or(0.0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
    };
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    let children: String = children.map(Result::unwrap_or_default).collect();
    let of_children: f64 = children.split_whitespace().map(kilobytes).sum();
    (kilobytes(&process.to_string()) / 1024.0, of_children / 1024.0)
}

#[test]
fn memory_stays_flat_over_half_an_hour() {
    if std::env::var_os("ENGINE_SOAK").is_none() || !has_ffmpeg() {
        eprintln!("SKIPPED: takes minutes; scripts/test --soak runs it");
        return;
    }
    let size = engine::frame::Size::new(1280, 720);
    let work = Workplace::with(&SampleOptions { size, side: 320, frames: 40, ..small() });
    work.write("rows.npy", features(30 * 60 * 25));
    let args = ["render", "pkg", "-o", "out.mp4", "--features", "rows.npy", "--json-progress"];
    let args = [&args[..], &["--frame-store", "stream"], &SIMULATED].concat();
    let mut child = work.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut memory = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(frames) = event["progress"]["frames"].as_u64() {
            memory.push((frames, resident(child.id())));
        }
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(probe(&work.path("out.mp4")).0, 45_000);
    let mut after_a_minute: Vec<f64> =
        memory.iter().filter(|(frames, _)| *frames > 1500).map(|(_, (ours, _))| *ours).collect();
    // The process may be gone by the time the last report is read.
    after_a_minute.retain(|ours| *ours > 0.0);
    let most = after_a_minute.iter().copied().fold(0.0, f64::max);
    let least = after_a_minute.iter().copied().fold(f64::INFINITY, f64::min);
    let of_ffmpeg = memory.iter().map(|(_, (_, theirs))| *theirs).fold(0.0, f64::max);
    eprintln!("engine {least:.0} to {most:.0} MB after a minute, ffmpeg at most {of_ffmpeg:.0} MB");
    assert!(most < least * 1.05, "{least} to {most} MB");
    assert!(most < 500.0, "{most} MB");
}

#[test]
fn programs_can_follow() {
    if !has_ffmpeg() {
        return;
    }
    let work = Workplace::new();
    work.write("rows.npy", features(80));
    let args = ["--features", "rows.npy", "--json-progress"];
    let answer = render(&work, "out.mp4", &args).assert_ok();
    assert_eq!(answer.stderr, "");
    let events: Vec<serde_json::Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, before) = events.split_last().unwrap();
    assert_eq!((&last["done"]["frames"], &last["done"]["total"]), (&80.into(), &80.into()));
    assert_eq!(last["done"]["output"], "out.mp4");
    let progress = &before.last().unwrap()["progress"];
    assert_eq!((&progress["frames"], &progress["total"]), (&80.into(), &80.into()));
    assert!(progress["fps"].as_f64().unwrap() > 0.0 && progress["busiest"].is_string());
    let answer = render(&work, "out.mp4", &["--features", "rows.npy", "--quiet"]).assert_ok();
    assert_eq!((answer.text(), &answer.stderr[..]), ("", ""));
}
