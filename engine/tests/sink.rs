//! Sinks against real files: exact contents, names, and what is left when something fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use engine::frame::{BufferPool, OutputFrame, Size};
use engine::sink::{
    ContactSheetSink, ImageFormat, SaveObserver, Sink, SinkError, SinkOptions, SinkTarget,
};

const SMALL: Size = Size::new(101, 67);

/// Frames of one size from one pool.
struct Source {
    pool: BufferPool,
    size: Size,
}

impl Source {
    fn new(size: Size) -> Self {
        Self { pool: BufferPool::new(8, size.bytes()).unwrap(), size }
    }

    fn frame(&self, index: u64, bgr: impl Fn(usize, usize) -> [u8; 3]) -> OutputFrame {
        let mut pixels = self.pool.take().unwrap();
        for (i, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            pixel.copy_from_slice(&bgr(i % self.size.width, i / self.size.width));
        }
        OutputFrame { index, size: self.size, pixels }
    }

    /// Every pixel differs from its neighbours and from the same pixel of other frames.
    fn noise(&self, index: u64) -> OutputFrame {
        self.frame(index, |x, y| noise(index, x, y))
    }

    fn flat(&self, index: u64, bgr: [u8; 3]) -> OutputFrame {
        self.frame(index, |_, _| bgr)
    }
}

fn noise(index: u64, x: usize, y: usize) -> [u8; 3] {
    let mut h = (x as u64) << 32 | (y as u64) << 8 | index;
    h = (h ^ (h >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let [_, _, _, a, _, b, _, c] = h.to_le_bytes();
    [a, b, c]
}

fn smooth(x: usize, y: usize) -> [u8; 3] {
    [(40 + x) as u8, (200 - y) as u8, (30 + (x + y) / 2) as u8]
}

fn open(target: &str, options: SinkOptions) -> Result<Box<dyn Sink>, SinkError> {
    target.parse::<SinkTarget>()?.open(options)
}

/// The error and its causes, as the command line prints them.
fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn refusal(target: &str, options: SinkOptions) -> String {
    match open(target, options) {
        Ok(_) => panic!("{target} was opened"),
        Err(error) => chain(&error),
    }
}

/// Names in a folder, sorted, hidden ones included.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn decode(path: &Path) -> image::RgbImage {
    image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into_rgb8()
}

fn assert_is_noise(path: &Path, index: u64, size: Size) {
    let image = decode(path);
    assert_eq!((image.width() as usize, image.height() as usize), (size.width, size.height));
    for (x, y, rgb) in image.enumerate_pixels() {
        let [b, g, r] = noise(index, x as usize, y as usize);
        assert_eq!(rgb.0, [r, g, b], "{} at {x}, {y}", path.display());
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<u64>>);

impl SaveObserver for Heard {
    fn saved(&self, index: u64, started: Instant, ended: Instant) {
        assert!(started <= ended);
        self.0.lock().unwrap().push(index);
    }
}

impl Heard {
    fn sorted(&self) -> Vec<u64> {
        let mut heard = self.0.lock().unwrap().clone();
        heard.sort_unstable();
        heard
    }
}

#[test]
fn targets_read_and_print_the_same_text() {
    for text in ["null", "png:out/frames", "jpg:C:odd", "raw:x.bgr", "raw:-"] {
        assert_eq!(text.parse::<SinkTarget>().unwrap().to_string(), text);
    }
    for text in ["", "nil", "png", "png:", "jpg:", "raw:", "null:", "PNG:out", "gif:out"] {
        let error = text.parse::<SinkTarget>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("\"{text}\" names no place")), "{error}");
        assert!(
            error.contains("null, png:DIR, jpg:DIR, video:FILE (.mp4, .mov or .mkv), raw:FILE"),
            "{error}"
        );
    }
}

#[test]
fn threads_suit_the_target() {
    let png: SinkTarget = "png:x".parse().unwrap();
    assert_eq!([1, 2, 3, 8, 64].map(|cores| png.encoder_threads(cores)), [1, 1, 2, 4, 8]);
    assert_eq!(SinkTarget::Null.encoder_threads(8), 0);
    assert_eq!(SinkTarget::RawStdout.encoder_threads(8), 1);
}

#[test]
fn png_files_hold_the_exact_pixels_for_any_number_of_encoders() {
    let source = Source::new(SMALL);
    for encoders in [0, 1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("made/here");
        let heard = Arc::new(Heard::default());
        let options = SinkOptions {
            encoders,
            queue: 2,
            observer: Some(heard.clone()),
            ..SinkOptions::new(SMALL, 20)
        };
        let mut sink = open(&format!("png:{}", out.display()), options).unwrap();
        for index in 0..20 {
            sink.write(source.noise(index)).unwrap();
        }
        sink.finish().unwrap();
        let expected: Vec<_> = (0..20).map(|i| format!("frame_{i:05}.png")).collect();
        assert_eq!(names(&out), expected);
        for (index, name) in expected.iter().enumerate() {
            assert_is_noise(&out.join(name), index as u64, SMALL);
        }
        assert_eq!(heard.sorted(), (0..20).collect::<Vec<_>>());
        assert_eq!(source.pool.available(), source.pool.count());
    }
}

#[test]
fn jpg_files_are_close_and_keep_blue_blue() {
    for size in [Size::new(128, 96), SMALL, Size::new(1, 1)] {
        let source = Source::new(size);
        let dir = tempfile::tempdir().unwrap();
        let target = SinkTarget::Images { dir: dir.path().into(), format: ImageFormat::Jpg };
        let mut sink = target.open(SinkOptions::new(size, 1)).unwrap();
        sink.write(source.frame(0, smooth)).unwrap();
        sink.finish().unwrap();
        let image = decode(&dir.path().join("frame_00000.jpg"));
        assert_eq!((image.width() as usize, image.height() as usize), (size.width, size.height));
        let squares = image.enumerate_pixels().map(|(x, y, rgb)| {
            let [b, g, r] = smooth(x as usize, y as usize);
            let differences = [r, g, b].into_iter().zip(rgb.0).map(|(a, b)| a.abs_diff(b));
            differences.map(|d| f64::from(d).powi(2)).sum::<f64>()
        });
        let mse = squares.sum::<f64>() / size.bytes() as f64;
        let psnr = 10.0 * (255.0 * 255.0 / mse).log10();
        assert!(psnr > 38.0, "{size}: {psnr:.2} dB");
    }
}

#[test]
fn numbers_widen_with_the_expected_count_and_beyond_it() {
    let source = Source::new(Size::new(2, 2));
    let dir = tempfile::tempdir().unwrap();
    let target = format!("png:{}", dir.path().display());
    let mut sink = open(&target, SinkOptions::new(source.size, 100_001)).unwrap();
    sink.write(source.noise(7)).unwrap();
    sink.write(source.noise(1_234_567)).unwrap();
    sink.finish().unwrap();
    assert_eq!(names(dir.path()), ["frame_000007.png", "frame_1234567.png"]);
}

#[test]
fn images_of_the_same_names_are_replaced_and_others_left() {
    let source = Source::new(SMALL);
    let dir = tempfile::tempdir().unwrap();
    for name in ["frame_00000.png", "frame_00001.png", "notes.txt"] {
        fs::write(dir.path().join(name), "before").unwrap();
    }
    let target = format!("png:{}", dir.path().display());
    let mut sink = open(&target, SinkOptions::new(SMALL, 1)).unwrap();
    sink.write(source.noise(0)).unwrap();
    sink.finish().unwrap();
    assert_eq!(names(dir.path()), ["frame_00000.png", "frame_00001.png", "notes.txt"]);
    assert_is_noise(&dir.path().join("frame_00000.png"), 0, SMALL);
    assert_eq!(fs::read(dir.path().join("frame_00001.png")).unwrap(), b"before");
}

#[test]
fn files_may_be_read_by_whoever_may_read_any_other_new_file() {
    let source = Source::new(SMALL);
    let dir = tempfile::tempdir().unwrap();
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
    fs::write(dir.path().join("other"), "").unwrap();
    let target = format!("png:{}", dir.path().display());
    let mut sink = open(&target, SinkOptions::new(SMALL, 1)).unwrap();
    sink.write(source.noise(0)).unwrap();
    sink.finish().unwrap();
    assert_eq!(mode("frame_00000.png"), mode("other"));
}

#[test]
fn impossible_places_are_refused_before_the_first_frame() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let (dir, file) = (dir.path().display(), file.display());
    let options = || SinkOptions::new(SMALL, 1);

    let text = refusal(&format!("png:{file}"), options());
    assert!(text.starts_with(&format!("{file} is a file: expected a folder")), "{text}");
    let text = refusal(&format!("png:{file}/below"), options());
    assert!(text.starts_with(&format!("cannot make the folder {file}/below: Not a")), "{text}");
    // Permission bits do not stop root; /proc stops everybody.
    let text = refusal("jpg:/proc/frames", options());
    assert!(text.starts_with("cannot make the folder /proc/frames: "), "{text}");
    let text = refusal("jpg:/proc/self", options());
    assert!(text.starts_with("cannot create the file /proc/self/frame: "), "{text}");

    let text = refusal(&format!("raw:{dir}"), options());
    assert!(text.starts_with(&format!("{dir} is a folder: expected the path of a file")), "{text}");
    let text = refusal(&format!("raw:{dir}/no/file"), options());
    let said = format!("cannot create the file {dir}/no/file: there is no folder {dir}/no");
    assert!(text.starts_with(&said), "{text}");
    let text = refusal(&format!("raw:{file}/below"), options());
    assert!(text.starts_with(&format!("cannot create the file {file}/below: Not a")), "{text}");
}

#[test]
fn options_the_format_does_not_allow_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let jpg = format!("jpg:{}/out", dir.path().display());
    for (width, height) in [(0, 8), (8, 0), (65_536, 8), (8, 65_536)] {
        let text = refusal(&jpg, SinkOptions::new(Size::new(width, height), 1));
        let expected = format!(
            "frames of {width}x{height} pixels cannot be jpg images: expected sides of 1 to 65535"
        );
        assert_eq!(text, expected);
    }
    for jpeg_quality in [0, 101] {
        let text = refusal(&jpg, SinkOptions { jpeg_quality, ..SinkOptions::new(SMALL, 1) });
        assert_eq!(text, format!("JPG quality {jpeg_quality} is out of range: expected 1 to 100"));
    }
    assert!(names(dir.path()).is_empty(), "refused, but the folder was made");
}

#[test]
fn a_frame_of_another_size_is_an_error_that_leaves_no_partial_file() {
    let (source, other) = (Source::new(SMALL), Source::new(Size::new(67, 101)));
    for kind in ["png", "jpg", "raw"] {
        let dir = tempfile::tempdir().unwrap();
        let target = format!("{kind}:{}/x", dir.path().display());
        let mut sink = open(&target, SinkOptions::new(SMALL, 2)).unwrap();
        sink.write(source.noise(0)).unwrap();
        let written = sink.write(other.noise(1)).and_then(|()| sink.finish());
        assert_eq!(written.unwrap_err().to_string(), "frame 1 is 67x101 pixels: expected 101x67");
        if kind == "raw" {
            assert!(names(dir.path()).is_empty());
        } else {
            assert_eq!(names(&dir.path().join("x")), [format!("frame_00000.{kind}")]);
        }
    }
}

#[test]
fn a_sink_dropped_early_leaves_whole_images_or_nothing() {
    let source = Source::new(SMALL);
    for encoders in [0, 2] {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().display();
        for target in [format!("png:{place}/png"), format!("raw:{place}/out.bgr")] {
            let options = SinkOptions { encoders, ..SinkOptions::new(SMALL, 6) };
            let mut sink = open(&target, options).unwrap();
            for index in 0..6 {
                sink.write(source.noise(index)).unwrap();
            }
            drop(sink);
            assert_eq!(source.pool.available(), source.pool.count());
        }
        assert_eq!(names(dir.path()), ["png"]);
        let images = dir.path().join("png");
        for name in names(&images) {
            let index = name.trim_start_matches("frame_").trim_end_matches(".png");
            assert_is_noise(&images.join(&name), index.parse().unwrap(), SMALL);
        }
    }
}

#[test]
fn raw_output_is_the_frames_in_order_and_appears_at_the_end() {
    let source = Source::new(SMALL);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.bgr");
    for encoders in [0, 1, 4] {
        fs::write(&file, "before").unwrap();
        let heard = Arc::new(Heard::default());
        let options =
            SinkOptions { encoders, observer: Some(heard.clone()), ..SinkOptions::new(SMALL, 30) };
        let mut sink = open(&format!("raw:{}", file.display()), options).unwrap();
        let mut expected = Vec::new();
        for index in 0..30 {
            let frame = source.noise(index);
            expected.extend_from_slice(&frame.pixels);
            sink.write(frame).unwrap();
        }
        assert_eq!(fs::read(&file).unwrap(), b"before");
        sink.finish().unwrap();
        assert_eq!(names(dir.path()), ["out.bgr"]);
        assert!(fs::read(&file).unwrap() == expected, "{encoders} encoders");
        assert_eq!(*heard.0.lock().unwrap(), (0..30).collect::<Vec<_>>());
    }
}

#[test]
fn raw_output_through_a_link_replaces_the_file_behind_it() {
    let source = Source::new(Size::new(2, 1));
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&file, "before").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let target = format!("raw:{}", link.display());
    let mut sink = open(&target, SinkOptions::new(source.size, 1)).unwrap();
    sink.write(source.flat(0, [1, 2, 3])).unwrap();
    sink.finish().unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(&file).unwrap(), [1, 2, 3, 1, 2, 3]);
}

#[test]
fn raw_output_into_a_named_pipe_reaches_its_reader() {
    let source = Source::new(SMALL);
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let target = format!("raw:{}", pipe.display());

    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    let mut sink = open(&target, SinkOptions::new(SMALL, 5)).unwrap();
    let mut expected = Vec::new();
    for index in 0..5 {
        let frame = source.noise(index);
        expected.extend_from_slice(&frame.pixels);
        sink.write(frame).unwrap();
    }
    sink.finish().unwrap();
    assert!(reader.join().unwrap() == expected);

    let reader = std::thread::spawn(move || {
        let mut first = [0; 10];
        File::open(pipe).unwrap().read_exact(&mut first).unwrap();
    });
    let options = SinkOptions { encoders: 0, ..SinkOptions::new(SMALL, 5) };
    let mut sink = open(&target, options).unwrap();
    let error = (0..1000).find_map(|index| sink.write(source.noise(index)).err()).unwrap();
    reader.join().unwrap();
    let text = error.to_string();
    let end = format!("to {}: the program that read from it has stopped", &target[4..]);
    assert!(text.starts_with("cannot write frame ") && text.ends_with(&end), "{text}");
}

#[test]
fn a_full_device_is_named() {
    let source = Source::new(SMALL);
    for encoders in [0, 1] {
        let options = SinkOptions { encoders, ..SinkOptions::new(SMALL, 1) };
        let mut sink = open("raw:/dev/full", options).unwrap();
        let written = sink.write(source.noise(0)).and_then(|()| sink.finish());
        let text = chain(&written.unwrap_err());
        assert!(text.starts_with("cannot write frame 0 to /dev/full: No space left"), "{text}");
    }
    assert!(Path::new("/dev/full").exists());
}

#[test]
fn a_contact_sheet_shows_evenly_spaced_frames() {
    let source = Source::new(Size::new(640, 360));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sheet.png");
    let inner = SinkTarget::Null.open(SinkOptions::new(source.size, 10)).unwrap();
    let mut sink = ContactSheetSink::new(inner, &out, source.size, 10, 4).unwrap();
    for index in 0..10u8 {
        // Left half black, right half as bright as the frame is late.
        let bgr = |x, _| if x < 320 { [0; 3] } else { [9, 0, index * 20] };
        sink.write(source.frame(index.into(), bgr)).unwrap();
    }
    assert!(!out.exists());
    sink.finish().unwrap();
    assert_eq!(names(dir.path()), ["sheet.png"]);
    let sheet = decode(&out);
    assert_eq!(sheet.dimensions(), (8 + 2 * 328, 8 + 2 * 188));
    for (cell, shown) in [0, 3, 6, 9].into_iter().enumerate() {
        let (x, y) = (8 + cell as u32 % 2 * 328, 8 + cell as u32 / 2 * 188);
        assert_eq!(sheet.get_pixel(x + 159, y + 90).0, [0, 0, 0], "frame {shown}");
        assert_eq!(sheet.get_pixel(x + 160, y + 90).0, [shown * 20, 0, 9], "frame {shown}");
        assert_eq!(sheet.get_pixel(x + 319, y + 179).0, [shown * 20, 0, 9], "frame {shown}");
        assert_eq!(sheet.get_pixel(x + 320, y + 90).0, [24; 3], "the gap after {shown}");
    }
}

#[test]
fn a_contact_sheet_averages_and_copes_with_short_runs() {
    let source = Source::new(Size::new(1280, 4));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sheet.png");
    let inner = SinkTarget::Null.open(SinkOptions::new(source.size, 2)).unwrap();
    let mut sink = ContactSheetSink::new(inner, &out, source.size, 2, 12).unwrap();
    for index in 0..2 {
        let frame = source.frame(index, |x, y| [0, 0, ((x % 4) * 40 + y * 10) as u8]);
        sink.write(frame).unwrap();
    }
    sink.finish().unwrap();
    let sheet = decode(&out);
    assert_eq!(sheet.dimensions(), (8 + 2 * 328, 8 + 9));
    assert_eq!(sheet.get_pixel(8, 8).0, [75, 0, 0]);
    assert_eq!(sheet.get_pixel(8 + 328 + 319, 8).0, [75, 0, 0]);
}

#[test]
fn no_contact_sheet_is_left_by_a_run_that_fails_or_stops() {
    let source = Source::new(SMALL);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sheet.png");
    let options = || SinkOptions { encoders: 0, ..SinkOptions::new(SMALL, 3) };
    let null = || SinkTarget::Null.open(options()).unwrap();

    let mut sink = ContactSheetSink::new(null(), &out, SMALL, 3, 3).unwrap();
    sink.write(source.noise(0)).unwrap();
    drop(sink);
    assert!(names(dir.path()).is_empty());

    let full = open("raw:/dev/full", options()).unwrap();
    let mut sink = ContactSheetSink::new(full, &out, SMALL, 3, 3).unwrap();
    assert!(matches!(sink.write(source.noise(0)), Err(SinkError::Write { .. })));
    assert!(names(dir.path()).is_empty());
    assert!(matches!(sink.finish(), Err(SinkError::Closed)));

    let refused = ContactSheetSink::new(null(), dir.path(), SMALL, 3, 3).err().unwrap();
    assert!(refused.to_string().ends_with("is a folder: expected the path of a file to write"));
    let refused = ContactSheetSink::new(null(), &out, Size::new(0, 5), 3, 3).err().unwrap();
    assert!(refused.to_string().starts_with("frames of 0x5 pixels"), "{refused}");
}

/// Runs one of the `child_` tests below in a process of its own, started by the shell line
/// `before`, whose `$0` is `dir` and whose arguments are the command to run.
fn child(test: &str, before: &str, target: &str, dir: &Path) -> std::process::Output {
    Command::new("sh")
        .args(["-c", before])
        .arg(dir)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env("SINK_TEST_TARGET", target)
        .env("SINK_TEST_DIR", dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_disk_that_fills_up_leaves_only_whole_files() {
    // A limit on the size of a file stops the writing part of the way, on any machine.
    let limited = r#"trap "" XFSZ; ulimit -f 4; exec "$@""#;
    // A small file system is the real thing, where mounting is permitted.
    let small = r#"exec unshare --mount sh -c '
        mount -t tmpfs -o size=100k none "$0" && exec "$@"' "$0" "$@""#;
    let dir = tempfile::tempdir().unwrap();
    let probe = Command::new("unshare")
        .args(["--mount", "mount", "-t", "tmpfs", "none"])
        .arg(dir.path())
        .output();
    let permitted = probe.is_ok_and(|output| output.status.success());
    if !permitted {
        println!("skipped: a small file system, because mounting is not permitted here");
    }
    for before in [limited].into_iter().chain(permitted.then_some(small)) {
        for kind in ["png:", "jpg:", "raw:"] {
            let dir = tempfile::tempdir().unwrap();
            let file = if kind == "raw:" { "/out.bgr" } else { "" };
            let target = format!("{kind}{}{file}", dir.path().display());
            let output = child("child_fills_the_disk", before, &target, dir.path());
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{target}, {before}:\n{text}\n{errors}");
            assert!(text.contains("1 passed"), "{text}");
        }
    }
}

#[test]
#[ignore = "run by a_disk_that_fills_up_leaves_only_whole_files"]
fn child_fills_the_disk() {
    let Ok(target) = std::env::var("SINK_TEST_TARGET") else { return };
    let dir = std::env::var("SINK_TEST_DIR").unwrap();
    let source = Source::new(SMALL);
    let mut sink = open(&target, SinkOptions::new(SMALL, 1000)).unwrap();
    // Flat frames make tiny images, so that the disk fills up in the middle of a run.
    let flat = (0..2).map(|index| source.flat(index, [1, 2, 3]));
    let error = flat
        .chain((2..1000).map(|index| source.noise(index)))
        .find_map(|frame| sink.write(frame).err())
        .unwrap();
    let text = chain(&error);
    assert!(text.starts_with("cannot write frame ") && text.contains(&dir), "{text}");
    assert!(text.contains("No space left") || text.contains("File too large"), "{text}");
    let left = names(Path::new(&dir));
    if target.starts_with("raw") {
        assert!(left.is_empty(), "{left:?}");
    } else {
        assert!(left.len() >= 2, "{left:?}");
        for name in left {
            assert!(name.starts_with("frame_"), "{name}");
            decode(&Path::new(&dir).join(name));
        }
    }
}

#[test]
fn standard_output_gets_the_bytes_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let output = child("child_writes_to_stdout", r#"exec "$@""#, "raw:-", dir.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let source = Source::new(SMALL);
    let expected: Vec<u8> = (0..4).flat_map(|index| source.noise(index).pixels.to_vec()).collect();
    // The test harness prints around it.
    assert!(output.stdout.windows(expected.len()).any(|found| found == expected));
}

#[test]
#[ignore = "run by standard_output_gets_the_bytes_untouched"]
fn child_writes_to_stdout() {
    let source = Source::new(SMALL);
    let Ok(target) = std::env::var("SINK_TEST_TARGET") else { return };
    let mut sink = open(&target, SinkOptions::new(SMALL, 4)).unwrap();
    for index in 0..4 {
        sink.write(source.noise(index)).unwrap();
    }
    sink.finish().unwrap();
}
