//! Videos that ffmpeg encodes, looked at with ffprobe and with ffmpeg's own decoder.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use engine::frame::{BufferPool, FrameRate, OutputFrame, Size};
use engine::sink::video::{
    Codec, Ffmpeg, Identity, Sound, Start, VideoError, VideoJob, VideoOptions,
};
use engine::sink::{Sink, SinkError};

const SIZE: Size = Size::new(96, 64);

/// ffmpeg with an H.264 encoder; says so where there is none.
fn ffmpeg() -> Option<Ffmpeg> {
    match Ffmpeg::find(Path::new("ffmpeg")) {
        Ok(ffmpeg) => Some(ffmpeg),
        Err(error) => {
            eprintln!("SKIPPED: {error}; run scripts/setup");
            None
        }
    }
}

fn options(ffmpeg: &Ffmpeg, segment: u64) -> VideoOptions {
    VideoOptions {
        ffmpeg: ffmpeg.clone(),
        codec: Codec::new("libx264", Some(12), None).unwrap(),
        rate: FrameRate::DEFAULT,
        threads: 2,
        segment,
        sound: None,
        say: Arc::new(|_| ()),
    }
}

fn begin(
    output: &Path,
    frames: u64,
    options: VideoOptions,
    start: Start,
) -> Result<VideoJob, VideoError> {
    VideoJob::begin(output, SIZE, frames, options, Identity::default(), start)
}

/// A frame whose grey says its number: 16 steps that survive encoding, and where it moves.
fn frame(pool: &BufferPool, index: u64) -> OutputFrame {
    let mut pixels = pool.take().unwrap();
    for (row, line) in pixels.chunks_exact_mut(SIZE.stride()).enumerate() {
        // Two digits of base 12, one in each half.
        let digit = if row < SIZE.height / 2 { index / 12 % 12 } else { index % 12 };
        line.fill((digit * 20) as u8 + 10);
    }
    OutputFrame { index, size: SIZE, pixels }
}

fn write(
    sink: &mut dyn Sink,
    pool: &BufferPool,
    frames: std::ops::Range<u64>,
) -> Result<(), SinkError> {
    frames.into_iter().try_for_each(|index| sink.write(frame(pool, index)))
}

/// A whole video of `frames` frames.
fn encode(output: &Path, frames: u64, options: VideoOptions) {
    let job = begin(output, frames, options, Start::New).unwrap();
    assert_eq!(job.first_frame(), 0);
    let folder = job.folder().to_owned();
    let pool = BufferPool::new(8, SIZE.bytes()).unwrap();
    let mut sink = job.open(2, None).unwrap();
    write(&mut *sink, &pool, 0..frames).unwrap();
    sink.finish().unwrap();
    assert!(!folder.exists());
}

fn probe(file: &Path, arguments: &[&str]) -> String {
    let output =
        Command::new("ffprobe").args(["-v", "error"]).args(arguments).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The numbers that the decoded frames show.
fn decoded(file: &Path) -> Vec<u64> {
    let size = SIZE.to_string();
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-s", &size, "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let digit = |pixel: u8| (u64::from(pixel) + 10 - 10) / 20;
    let half = SIZE.width * SIZE.height / 2;
    let frames = output.stdout.chunks_exact(SIZE.width * SIZE.height);
    frames.map(|pixels| digit(pixels[half / 2]) * 12 + digit(pixels[half + half / 2])).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_frame_is_there_in_order_at_its_time() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mp4");
    for frames in [1, 2, 3, 9, 10, 11, 20, 21, 57] {
        encode(&output, frames, options(&ffmpeg, 10));
        assert_eq!(decoded(&output), (0..frames).collect::<Vec<_>>(), "{frames} frames");
        let entries = "stream=codec_name,pix_fmt,width,height,r_frame_rate,avg_frame_rate,nb_frames,\
                       duration_ts,time_base,color_range,color_space,color_transfer,color_primaries";
        let text = probe(&output, &["-show_entries", entries, "-of", "default=nw=1"]);
        for line in [
            "codec_name=h264",
            "pix_fmt=yuv420p",
            "width=96",
            "height=64",
            "r_frame_rate=25/1",
            "avg_frame_rate=25/1",
            "color_range=tv",
            "color_space=bt709",
            "color_transfer=bt709",
            "color_primaries=bt709",
            "time_base=1/12800",
            &format!("nb_frames={frames}"),
            &format!("duration_ts={}", frames * 512),
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{frames} frames: no {line} in {text}"
            );
        }
        // Continuous over the joints, in the order of showing and in that of decoding.
        let text = probe(&output, &["-show_entries", "packet=pts,dts", "-of", "csv=p=0"]);
        let mut times: Vec<(i64, i64)> = text
            .lines()
            .map(|line| {
                let (pts, dts) = line.trim_end_matches(',').split_once(',').unwrap();
                (pts.parse().unwrap(), dts.parse().unwrap())
            })
            .collect();
        assert!(times.windows(2).all(|pair| pair[1].1 - pair[0].1 == 512), "{times:?}");
        times.sort_unstable();
        let shown: Vec<i64> = times.iter().map(|(pts, _)| *pts).collect();
        assert_eq!(shown, (0..frames as i64).map(|frame| frame * 512).collect::<Vec<_>>());
    }
    assert_eq!(names(folder.path()), ["out.mp4"]);
}

#[test]
fn other_rates_and_containers() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, rate) in [("a.mp4", "30000/1001"), ("b.mkv", "50"), ("c.mov", "12.5")] {
        let output = folder.path().join(name);
        let rate: FrameRate = rate.parse().unwrap();
        encode(&output, 23, VideoOptions { rate, ..options(&ffmpeg, 7) });
        assert_eq!(decoded(&output), (0..23).collect::<Vec<_>>(), "{name}");
        let text = probe(&output, &["-show_entries", "stream=avg_frame_rate", "-of", "csv=p=0"]);
        let shown = format!("{}/{}", rate.frames(), rate.seconds());
        assert_eq!(text.trim_end_matches([',', '\n']), shown, "{name}");
    }
}

/// A sound of `seconds`, as a wav.
fn sound(folder: &Path, seconds: f64) -> PathBuf {
    let file = folder.join(format!("sound-{seconds}.wav"));
    let source = format!("sine=frequency=440:sample_rate=44100:duration={seconds}");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &source])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
    file
}

#[test]
fn sound_is_cut_or_followed_by_silence() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mp4");
    for seconds in [0.3, 1.0, 1.8, 5.0] {
        let sound = Some(Sound { file: sound(folder.path(), seconds) });
        encode(&output, 45, VideoOptions { sound, ..options(&ffmpeg, 20) });
        let entries = "stream=codec_type,codec_name,duration,sample_rate";
        let text = probe(&output, &["-show_entries", entries, "-of", "csv=p=0"]);
        assert!(text.contains("h264,video,") && text.contains("aac,audio,44100,"), "{text}");
        for line in text.lines() {
            let length: f64 = line.rsplit(',').next().unwrap().parse().unwrap();
            assert!((length - 1.8).abs() < 0.03, "{seconds}: {text}");
        }
        assert_eq!(decoded(&output).len(), 45);
    }
}

#[test]
fn a_render_continues_after_an_interruption_with_the_same_bytes() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.mp4");
    let sound = Some(Sound { file: sound(folder.path(), 2.0) });
    let options = |segment| VideoOptions { sound: sound.clone(), ..options(&ffmpeg, segment) };
    encode(&whole, 58, options(10));
    let expected = fs::read(&whole).unwrap();
    let output = folder.path().join("out.mp4");
    fs::write(&output, "the one before").unwrap();
    let pool = BufferPool::new(8, SIZE.bytes()).unwrap();

    let mut first = 0;
    // Stopped politely after 13 frames, dropped after 29, stopped between segments, and at the end.
    for (until, polite) in [(13, true), (29, false), (50, true), (56, false), (58, true)] {
        let job = begin(&output, 58, options(10), Start::Resume).unwrap();
        assert_eq!(job.first_frame(), first, "before {until}");
        let mut sink = job.open(2, None).unwrap();
        write(&mut *sink, &pool, first..until).unwrap();
        if polite {
            sink.finish().unwrap();
        }
        drop(sink);
        let segments = folder.path().join("out.mp4.segments");
        if until < 58 {
            assert_eq!(fs::read(&output).unwrap(), b"the one before");
            let kept = names(&segments).into_iter().filter(|name| name.ends_with(".mp4")).count();
            // What was dropped may have been queued still.
            assert!(kept as u64 == until / 10 || !polite && kept as u64 == until / 10 - 1);
            assert!(!names(&segments).iter().any(|name| name.contains("part")));
            first = kept as u64 * 10;
        }
    }
    assert!(fs::read(&output).unwrap() == expected, "other bytes");
    let left = names(folder.path());
    assert_eq!(left, ["out.mp4", "sound-2.wav", "whole.mp4"]);
}

#[test]
fn a_render_that_would_differ_is_not_resumed() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mp4");
    let pool = BufferPool::new(8, SIZE.bytes()).unwrap();
    let mut sink =
        begin(&output, 30, options(&ffmpeg, 10), Start::New).unwrap().open(2, None).unwrap();
    write(&mut *sink, &pool, 0..25).unwrap();
    sink.finish().unwrap();
    drop(sink);
    let refused =
        |options, frames, start| begin(&output, frames, options, start).err().unwrap().to_string();

    let text = refused(options(&ffmpeg, 10), 30, Start::New);
    for part in ["out.mp4.segments", "20 of 30 frames", "--resume", "--restart"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let text = refused(options(&ffmpeg, 10), 31, Start::Resume);
    assert!(text.contains("the number of frames was 30 and is 31"), "{text}");
    let slow = Codec::new("libx264", Some(12), Some("fast")).unwrap();
    let text = refused(VideoOptions { codec: slow, ..options(&ffmpeg, 10) }, 30, Start::Resume);
    assert!(
        text.contains("the video codec was libx264 veryfast quality 12 and is libx264 fast"),
        "{text}"
    );
    let text = refused(VideoOptions { threads: 3, ..options(&ffmpeg, 12) }, 30, Start::Resume);
    assert!(text.contains("segment was 10 and is 12, and the number of encoder threads"), "{text}");

    // Nothing was lost by being refused.
    let job = begin(&output, 30, options(&ffmpeg, 10), Start::Resume).unwrap();
    assert_eq!(job.first_frame(), 20);
    let busy = begin(&output, 30, options(&ffmpeg, 10), Start::Resume).err().unwrap();
    assert!(matches!(busy, VideoError::Lock(_)), "{busy}");
    drop(job);
    assert_eq!(begin(&output, 30, options(&ffmpeg, 10), Start::Restart).unwrap().first_frame(), 0);
}

/// An error and what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[test]
fn what_ffmpeg_says_reaches_the_caller() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mp4");
    let pool = BufferPool::new(8, SIZE.bytes()).unwrap();
    let fail = |options: VideoOptions| {
        let mut sink = begin(&output, 40, options, Start::Restart).unwrap().open(2, None).unwrap();
        let error = write(&mut *sink, &pool, 0..40).and_then(|()| sink.finish()).unwrap_err();
        assert!(!output.exists());
        error.to_string()
    };
    let codec = Codec::new("no_such_codec", None, None).unwrap();
    let text = fail(VideoOptions { codec, ..options(&ffmpeg, 10) });
    assert!(text.contains("Unknown encoder 'no_such_codec'"), "{text}");
    fs::write(folder.path().join("text.wav"), "no sound").unwrap();
    for (name, part) in [("none.wav", "No such file"), ("text.wav", "looking for sound in")] {
        let sound = Some(Sound { file: folder.path().join(name) });
        let job = begin(&output, 40, VideoOptions { sound, ..options(&ffmpeg, 10) }, Start::New);
        let text = chain(&job.err().unwrap());
        assert!(text.contains(name) && text.contains(part), "{text}");
    }

    let odd = Size::new(95, 64);
    let job =
        VideoJob::begin(&output, odd, 1, options(&ffmpeg, 1), Identity::default(), Start::New);
    assert!(job.err().unwrap().to_string().contains("95x64"));
    let job = begin(&folder.path().join("none/out.mp4"), 1, options(&ffmpeg, 1), Start::New);
    assert!(job.err().unwrap().to_string().contains("none/"));
}
