//! Places that take no frames.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::support::{Answer, SIMULATED, SIZE, SmallDisk, Workplace, features};

fn render(work: &Workplace, output: &str, args: &[&str]) -> Answer {
    work.run(&[&["render", "pkg", "-o", output], &SIMULATED[..], args].concat())
}

#[test]
fn places_that_cannot_be_written() {
    let work = Workplace::new();
    work.write("file", "kept");
    fs::create_dir(work.path("folder")).unwrap();
    for (output, parts) in [
        ("file", &["file is a file", "expected a folder for images"][..]),
        ("file/below", &["cannot make the folder file/below", "Not a directory"]),
        ("/proc/nowhere", &["cannot make the folder /proc/nowhere"]),
        ("/proc", &["cannot create the file /proc/frame"]),
        ("jpg:file", &["file is a file", "expected a folder for images"]),
        ("raw:folder", &["folder is a folder", "expected the path of a file"]),
        ("raw:none/frames", &["cannot create the file none/frames", "there is no folder none"]),
    ] {
        for mode in ["pipelined", "sequential"] {
            render(&work, output, &["--mode", mode]).assert_refused(parts);
        }
    }
    work.render(&["--contact-sheet", "none/sheet.png"])
        .assert_refused(&["cannot create the file none/sheet.png", "there is no folder none"]);
    work.render(&["--contact-sheet", "folder"])
        .assert_refused(&["--contact-sheet is folder", "ends in .png"]);
    assert_eq!(fs::read(work.path("file")).unwrap(), b"kept");
    assert_eq!(work.names("folder"), [""; 0]);
    assert_eq!(work.names("out"), [""; 0]);
}

#[test]
fn a_full_device() {
    let work = Workplace::new();
    for mode in ["pipelined", "sequential"] {
        render(&work, "raw:/dev/full", &["--mode", mode])
            .assert_refused(&["cannot write frame 0 to /dev/full", "No space left on device"]);
    }
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let args = ["inspect", "pkg"];
    let output = work.command(&args).stdout(full).output().unwrap();
    Answer::of(&args, output).assert_refused(&["standard output", "No space left on device"]);
}

#[test]
fn a_disk_that_fills_up() {
    let work = Workplace::new();
    work.write("long.npy", features(200));
    let folder = work.path("disk");
    let Some(disk) = SmallDisk::mount(&folder, "400k") else { return };
    let long = ["--features", "long.npy"];

    render(&work, "disk/out", &long).assert_refused(&[
        "to disk/out/frame_000",
        "cannot write frame",
        "No space left on device",
    ]);
    let frames = work.names("disk/out");
    assert!(!frames.is_empty());
    for name in frames {
        assert!(image::open(work.path("disk/out").join(&name)).is_ok(), "{name} is not whole");
    }
    fs::remove_dir_all(work.path("disk/out")).unwrap();

    render(&work, "raw:disk/frames.raw", &long)
        .assert_refused(&["to disk/frames.raw", "No space left on device"]);
    assert_eq!(work.names("disk"), [""; 0]);
    drop(disk);
}

#[test]
fn a_reader_that_goes_away() {
    let work = Workplace::new();
    work.write("long.npy", features(400));
    for mode in ["pipelined", "sequential"] {
        let args = ["render", "pkg", "-o", "raw:-", "--features", "long.npy", "--mode", mode];
        let args = [&args, &SIMULATED[..]].concat();
        let mut child = work.start(&args);
        let mut reader = child.stdout.take().unwrap();
        let mut frame = vec![0; SIZE.bytes()];
        reader.read_exact(&mut frame).unwrap();
        drop(reader);
        let answer = Answer::of(&args, child.wait_with_output().unwrap());
        answer.assert_refused(&["to standard output", "the program that read from it has stopped"]);
    }
}

#[test]
fn tables_for_a_reader_that_has_seen_enough() {
    let work = Workplace::new();
    for args in [&["inspect", "pkg"][..], &["doctor"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = work.command(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        Answer::of(args, output).assert_ok();
    }
}

#[test]
fn files_for_results_are_tried_before_anything_runs() {
    let work = Workplace::new();
    fs::create_dir(work.path("folder")).unwrap();
    for option in ["--json", "--csv", "--markdown"] {
        let bench = |file| {
            work.run(&[&["bench", "--package", "pkg", option, file], &SIMULATED[..]].concat())
        };
        let missing = bench("none/file");
        missing.assert_refused(&[
            "error: cannot create the file none/file",
            "there is no folder none",
        ]);
        assert!(!missing.stderr.contains("running"), "{}", missing.stderr);
        bench("folder").assert_refused(&["error: folder is a folder", "path of a file"]);
    }
    assert_eq!(work.names("folder"), [""; 0]);
    assert_eq!(work.names("."), ["folder", "pkg"]);
}

#[test]
fn links_are_followed_and_devices_are_not_replaced() {
    let work = Workplace::new();
    work.write("real.json", "old");
    std::os::unix::fs::symlink("real.json", work.path("link.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", work.path("dangling")).unwrap();
    let bench = |file: &str| {
        let args = ["bench", "--package", "pkg", "--frames", "2", "--json", file];
        work.run(&[&args[..], &SIMULATED[..]].concat())
    };
    bench("link.json").assert_ok();
    assert!(work.path("link.json").is_symlink());
    assert!(std::fs::read_to_string(work.path("real.json")).unwrap().contains("\"schema\": 1"));
    bench("dangling").assert_refused(&["dangling is no regular file"]);
    bench("/dev/null").assert_refused(&["/dev/null is no regular file"]);
    std::os::unix::fs::symlink("/dev/full", work.path("full.png")).unwrap();
    work.assert_render_refused(
        &["--contact-sheet", "full.png"],
        &["full.png is no regular file", "expected the path of a file"],
    );
}

#[test]
fn remarks_that_nobody_can_take_stop_nothing() {
    let work = Workplace::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let args = [&["render", "pkg", "-o", "out"], &SIMULATED[..]].concat();
    let status = work.command(&args).stderr(full).status().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(work.names("out").len(), 6);
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let work = Workplace::new();
    let limited = ["-c", "ulimit -f 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_engine-cli")];
    let args = [&["render", "pkg", "-o", "raw:frames"], &SIMULATED[..]].concat();
    let output = std::process::Command::new("sh")
        .args(limited)
        .args(&args)
        .current_dir(work.path("."))
        .output()
        .unwrap();
    Answer::of(&args, output).assert_refused(&["frames", "File too large"]);
    assert_eq!(work.names("."), ["pkg"]);
}
