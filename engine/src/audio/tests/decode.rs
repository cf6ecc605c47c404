//! Files of all kinds, made and decoded by the ffmpeg of this machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::super::{AudioError, Sound};

/// A second of a tone, loud and quiet in turn, as an expression of `aevalsrc`.
const TONE: &str = "0.5*sin(440*2*PI*t)*(0.6+0.4*sin(5*2*PI*t))";

/// Files made by ffmpeg; `None`, with the reason on stderr, where there is none.
struct Files(TempDir);

impl Files {
    fn new() -> Option<Self> {
        match Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status() {
            Ok(status) if status.success() => Some(Self(tempfile::tempdir().unwrap())),
            other => {
                eprintln!("SKIPPED: no ffmpeg on PATH ({other:?}); run scripts/setup");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Has ffmpeg make the file `name`; says so where it cannot.
    fn make(&self, name: &str, args: &[&str]) -> Option<PathBuf> {
        let path = self.path(name);
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(args)
            .arg(&path)
            .output()
            .unwrap();
        if output.status.success() {
            return Some(path);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("SKIPPED {name}: this ffmpeg does not write it: {}", said.trim());
        None
    }

    /// `seconds` of the sound `expression`, one for each channel, at `rate`.
    fn sound(
        &self,
        name: &str,
        expression: &str,
        rate: u32,
        seconds: f64,
        args: &[&str],
    ) -> Option<PathBuf> {
        let source = format!("aevalsrc={expression}:s={rate}:d={seconds}");
        self.make(name, &[&["-f", "lavfi", "-i", &source], args].concat())
    }
}

fn load(path: &Path) -> Result<Sound, AudioError> {
    Sound::load(path, Path::new("ffmpeg"), &|| false)
}

/// The error's text, which names the file.
fn refusal(path: &Path) -> String {
    let error = load(path).unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let message = format!("{error} {}", source.unwrap_or_default());
    assert!(message.contains(&*path.to_string_lossy()), "{message}");
    message
}

/// Mean difference of two spectrograms of the same length.
fn apart(a: &Sound, b: &Sound) -> f32 {
    assert_eq!(a.mel().rows(), b.mel().rows());
    let row_apart = |row: usize| {
        let pairs = a.mel().row(row).iter().zip(b.mel().row(row));
        pairs.map(|(a, b)| (a - b).abs()).sum::<f32>()
    };
    (0..a.mel().rows()).map(row_apart).sum::<f32>() / (a.mel().rows() * 80) as f32
}

#[test]
fn every_rate_width_and_format_is_the_same_sound() {
    let Some(files) = Files::new() else { return };
    let both = format!("{TONE}|{TONE}");
    let plain = files.sound("plain.wav", TONE, 16_000, 1.0, &["-c:a", "pcm_f32le"]).unwrap();
    let plain = load(&plain).unwrap();
    assert_eq!((plain.mel().rows(), plain.frames(), plain.seconds()), (81, 25, 1.0));
    assert_eq!(plain.complaints(), [""; 0]);
    // Bands in which nothing is hear the most of a resampler or a codec.
    let cases: [(&str, &str, u32, &[&str], f32); 10] = [
        ("8k.wav", TONE, 8000, &["-c:a", "pcm_f32le"], 0.05),
        ("16.wav", TONE, 16_000, &["-c:a", "pcm_s16le"], 0.01),
        ("24.wav", TONE, 16_000, &["-c:a", "pcm_s24le"], 0.01),
        ("double.wav", TONE, 16_000, &["-c:a", "pcm_f64le"], 1e-4),
        ("44k.wav", &both, 44_100, &["-c:a", "pcm_s24le"], 0.03),
        ("48k.flac", &both, 48_000, &["-c:a", "flac", "-sample_fmt", "s32"], 0.03),
        ("stereo.wav", &both, 16_000, &["-c:a", "pcm_f32le"], 1e-4),
        ("a.mp3", &both, 44_100, &["-c:a", "libmp3lame", "-b:a", "192k"], 0.05),
        ("a.opus", &both, 48_000, &["-c:a", "libopus", "-b:a", "160k"], 0.1),
        ("a name: with - marks.wav", TONE, 16_000, &["-c:a", "pcm_f32le"], 1e-4),
    ];
    for (name, expression, rate, args, tolerance) in cases {
        // ffmpeg itself takes what is before a colon for a protocol, so it writes another name.
        let Some(path) =
            files.sound("made.tmp", expression, rate, 1.0, &[args, &["-f", muxer(name)]].concat())
        else {
            continue;
        };
        let named = files.path(name);
        fs::rename(path, &named).unwrap();
        let sound = load(&named).unwrap();
        assert_eq!(sound.frames(), 25, "{name}: {} s", sound.seconds());
        assert!((sound.seconds() - 1.0).abs() < 0.002, "{name}: {} s", sound.seconds());
        let apart = apart(&sound, &plain);
        println!("{name}: {apart:.5} apart");
        assert!(apart <= tolerance, "{name}: {apart} from the plain one");
    }
}

fn muxer(name: &str) -> &str {
    name.rsplit('.').next().unwrap()
}

#[test]
fn channels_are_averaged() {
    let Some(files) = Files::new() else { return };
    let quarter = format!("0.25*{TONE}");
    let expected = files.sound("mono.wav", &quarter, 16_000, 0.5, &["-c:a", "pcm_f32le"]).unwrap();
    let expected = load(&expected).unwrap();
    // Half of it on one side only.
    let left = format!("0.5*{TONE}|0");
    for codec in ["pcm_f32le", "pcm_s24le"] {
        let left = files.sound("left.wav", &left, 16_000, 0.5, &["-c:a", codec]).unwrap();
        let apart = apart(&load(&left).unwrap(), &expected);
        // 3 dB too loud would be 0.24.
        assert!(apart < 0.02, "{codec}: {apart}");
    }
}

#[test]
fn silence_clipping_and_dc_are_sounds() {
    let Some(files) = Files::new() else { return };
    let level = |name: &str, expression: &str, codec: &str| {
        let sound =
            load(&files.sound(name, expression, 16_000, 0.5, &["-c:a", codec]).unwrap()).unwrap();
        assert_eq!((sound.frames(), sound.mel().rows()), (13, 41));
        sound.mel().row(20).to_vec()
    };
    assert!(level("silence.wav", "0", "pcm_s16le").iter().all(|&value| value == -4.0));
    let tone = |gain: u32| format!("{gain}*sin(440*2*PI*t)");
    let [full, clipped, loud] = [
        level("full.wav", &tone(1), "pcm_s16le"),
        level("clipped.wav", &tone(4), "pcm_s16le"),
        level("loud.wav", &tone(4), "pcm_f32le"),
    ];
    let sum = |row: &[f32]| row.iter().sum::<f32>();
    assert!(sum(&clipped) > sum(&full) + 10.0, "clipping is heard in bands above the tone");
    // Floating point keeps what is beyond full scale: 12 dB are 0.96.
    let highest = |row: &[f32]| row.iter().copied().fold(f32::MIN, f32::max);
    assert!((highest(&loud) - highest(&full) - 0.96).abs() < 0.05);
    assert!(level("dc.wav", "0.5", "pcm_f32le").iter().all(|&value| value < -1.0));
}

#[test]
fn the_length_decides_the_frames() {
    let Some(files) = Files::new() else { return };
    for (seconds, frames, rows) in
        [(0.01, 1, 16), (0.1, 3, 16), (0.2, 5, 17), (1.0, 25, 81), (2.01, 51, 161)]
    {
        let sound = load(&files.sound("a.wav", TONE, 48_000, seconds, &[]).unwrap()).unwrap();
        assert_eq!((sound.frames(), sound.mel().rows()), (frames, rows), "{seconds} s");
    }
}

#[test]
fn a_video_has_the_sound_in_it() {
    let Some(files) = Files::new() else { return };
    let picture = ["-f", "lavfi", "-i", "testsrc=s=64x64:d=1"];
    let sound = ["-f", "lavfi", "-i", "sine=d=1", "-c:a", "pcm_s16le"];
    let codec = ["-c:v", "mpeg4"];
    let video = files.make("v.mkv", &[&picture[..], &sound, &codec].concat()).unwrap();
    assert_eq!(load(&video).unwrap().frames(), 25);
    let silent = files.make("s.mkv", &[&picture[..], &codec].concat()).unwrap();
    assert!(refusal(&silent).contains("there is no sound in this file; expected an audio stream"));
}

#[test]
fn what_is_no_sound_is_refused() {
    let Some(files) = Files::new() else { return };
    let write = |name: &str, bytes: &[u8]| {
        fs::write(files.path(name), bytes).unwrap();
        files.path(name)
    };
    let wav = fs::read(files.sound("a.wav", TONE, 16_000, 1.0, &[]).unwrap()).unwrap();
    assert!(refusal(&write("empty.wav", b"")).contains("the file is empty"));
    assert!(
        refusal(&write("text.wav", b"no sound, but words")).contains("ffmpeg cannot decode this")
    );
    assert!(refusal(&write("header.wav", &wav[..30])).contains("ffmpeg cannot decode this"));
    assert!(refusal(&files.path("none.wav")).contains("cannot read the sound"));
    assert!(refusal(files.0.path()).contains("Is a directory"));
    let nothing = files.sound("nothing.wav", TONE, 16_000, 1.0, &["-t", "0"]).unwrap();
    assert!(refusal(&nothing).contains("the sound has no samples"));
    let nan =
        files.sound("nan.wav", "if(eq(n\\,8000)\\,0/0\\,0)", 16_000, 1.0, &["-c:a", "pcm_f32le"]);
    let message = refusal(&nan.unwrap());
    assert!(message.contains("NaN at 0.500 s; expected finite"), "{message}");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.wav");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(refusal(&pipe).contains("this is a pipe; expected a regular file"));
    assert!(refusal(Path::new("/dev/zero")).contains("this is a device; expected a regular file"));
}

#[test]
fn what_is_left_of_a_file_that_is_cut_short_is_used() {
    let Some(files) = Files::new() else { return };
    let cut = |path: PathBuf, at: f64| {
        let file = File::options().write(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len((length as f64 * at) as u64).unwrap();
        path
    };
    for (name, rate, codec) in [
        ("a.wav", 16_000, "pcm_s16le"),
        ("a.flac", 16_000, "flac"),
        ("a.mp3", 44_100, "libmp3lame"),
    ] {
        let Some(whole) = files.sound(name, TONE, rate, 3.0, &["-c:a", codec]) else { continue };
        assert_eq!(load(&whole).unwrap().complaints(), [""; 0], "{name}");
        let sound = load(&cut(whole, 0.6)).unwrap();
        assert!((1.0..2.5).contains(&sound.seconds()), "{name}: {} s", sound.seconds());
        assert!(!sound.complaints().is_empty(), "{name}: nothing is said about it");
    }
    // The index is at the end of such a file, so nothing of it can be read.
    if let Some(whole) = files.sound("a.m4a", TONE, 16_000, 3.0, &["-c:a", "aac"]) {
        assert!(refusal(&cut(whole, 0.6)).contains("moov atom not found"));
    }
}

#[test]
fn a_program_that_is_no_ffmpeg_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("a.wav");
    fs::write(&sound, "something").unwrap();
    let run =
        |program: &str| Sound::load(&sound, Path::new(program), &|| false).unwrap_err().to_string();
    let message = run("/no/ffmpeg");
    assert!(message.contains("cannot run /no/ffmpeg") && message.contains("--ffmpeg"), "{message}");
    let message = run("false");
    assert!(message.contains("it ended with exit status: 1 and said nothing"), "{message}");
    assert!(run("true").contains("the sound has no samples"));
}

#[test]
fn decoding_can_be_stopped() {
    let Some(files) = Files::new() else { return };
    let sound = files.sound("long.wav", "0", 16_000, 60.0, &[]).unwrap();
    let stopped = Sound::load(&sound, Path::new("ffmpeg"), &|| true);
    assert!(matches!(stopped, Err(AudioError::Stopped)));
}
