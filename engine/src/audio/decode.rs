//! Sound files of all kinds, decoded by an ffmpeg of its own process.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::{AudioError, SAMPLE_RATE};
use crate::file::regular;

/// Bytes of samples that are taken at one time.
const PIECE: usize = 1 << 16;
/// Complaints that are kept.
const MOST_COMPLAINTS: usize = 8;

/// Decodes the first audio stream of `path` to mono samples at 16 kHz and passes them to `take`,
/// piece by piece, until the end or until `take` breaks. Returns what ffmpeg complained about.
pub(super) fn decode(
    path: &Path,
    ffmpeg: &Path,
    take: &mut dyn FnMut(&[f32]) -> ControlFlow<()>,
) -> Result<Vec<String>, AudioError> {
    require_contents(path)?;
    let spawned = |source| AudioError::Ffmpeg { program: ffmpeg.to_owned(), source };
    let mut decoder = Decoder::start(path, ffmpeg).map_err(spawned)?;
    let mut decoded = 0;
    let read = |source| AudioError::Read { path: path.to_owned(), source };
    while let Some(piece) = decoder.next_piece().map_err(read)? {
        if let Some(at) = piece.iter().position(|sample| !sample.is_finite()) {
            return Err(AudioError::Sample {
                path: path.to_owned(),
                value: piece[at],
                seconds: (decoded + at) as f64 / SAMPLE_RATE as f64,
            });
        }
        decoded += piece.len();
        if take(piece).is_break() {
            return Err(AudioError::Stopped);
        }
    }
    match decoder.finish().map_err(spawned)? {
        Ended::Well(complaints) => Ok(complaints),
        Ended::Badly(said) if said.contains("matches no streams") => {
            Err(AudioError::NoStream { path: path.to_owned() })
        }
        Ended::Badly(said) => Err(AudioError::Decode { path: path.to_owned(), said }),
    }
}

/// Refuses what ffmpeg would wait for, or call "invalid data" though it is only empty.
fn require_contents(path: &Path) -> Result<(), AudioError> {
    let read = regular::open(path).and_then(|mut file| file.read(&mut [0]));
    match read {
        Ok(0) => Err(AudioError::EmptyFile { path: path.to_owned() }),
        Ok(_) => Ok(()),
        Err(source) => Err(AudioError::Read { path: path.to_owned(), source }),
    }
}

/// How ffmpeg ended, and what it said.
enum Ended {
    Well(Vec<String>),
    Badly(String),
}

/// A running ffmpeg. It is ended when this is dropped.
struct Decoder {
    child: Child,
    output: ChildStdout,
    listener: Option<JoinHandle<Vec<String>>>,
    bytes: Vec<u8>,
    /// How many of `bytes` are filled.
    filled: usize,
    samples: Vec<f32>,
}

impl Decoder {
    fn start(path: &Path, ffmpeg: &Path) -> io::Result<Self> {
        let mut command = Command::new(ffmpeg);
        command.args(["-nostdin", "-v", "level+warning", "-i"]);
        // So that a name with a colon or a dash is a name.
        let mut input = OsString::from("file:");
        input.push(path);
        command.arg(input).args(["-map", "0:a:0"]);
        // The mean of the channels, as in training. Without the limit, floating-point output is
        // mixed 3 dB louder than that.
        let rate = SAMPLE_RATE;
        let filter = format!(
            "aresample={rate}:rematrix_maxval=1,aformat=sample_fmts=flt:channel_layouts=mono"
        );
        command.args(["-af", &filter, "-f", "f32le", "-"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the engine, which ends its ffmpeg.
            .process_group(0)
            .spawn()?;
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            unreachable!("both were asked for as pipes")
        };
        let bytes = vec![0; PIECE];
        let mut decoder =
            Self { child, output, listener: None, bytes, filled: 0, samples: Vec::new() };
        let listen = move || listen(BufReader::new(errors));
        decoder.listener = Some(thread::Builder::new().name("ffmpeg".into()).spawn(listen)?);
        Ok(decoder)
    }

    /// The next samples; `None` after the last.
    fn next_piece(&mut self) -> io::Result<Option<&[f32]>> {
        // A piece may end in the middle of a sample.
        while self.filled < 4 {
            match self.output.read(&mut self.bytes[self.filled..]) {
                Ok(0) => return Ok(None),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let whole = self.filled / 4 * 4;
        let (samples, _) = self.bytes[..whole].as_chunks();
        self.samples.clear();
        self.samples.extend(samples.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        self.bytes.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        Ok(Some(&self.samples))
    }

    fn finish(mut self) -> io::Result<Ended> {
        let status = self.child.wait()?;
        let listener = self.listener.take();
        let complaints = listener.and_then(|listener| listener.join().ok()).unwrap_or_default();
        Ok(match (status.success(), complaints.is_empty()) {
            (true, _) => Ended::Well(complaints),
            (false, false) => Ended::Badly(complaints.join("; ")),
            (false, true) => Ended::Badly(format!("it ended with {status} and said nothing")),
        })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What is worth repeating of what ffmpeg says, each once; of too much the first and the last.
fn listen(errors: impl BufRead) -> Vec<String> {
    let mut complaints: Vec<String> = Vec::new();
    for line in errors.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        let Some(complaint) = complaint(line.trim()) else { continue };
        if complaints.iter().all(|known| known != complaint) {
            complaints.truncate(MOST_COMPLAINTS - 1);
            complaints.push(complaint.to_owned());
        }
    }
    complaints
}

/// The message in a line such as `[wav @ 0x5577] [warning] Packet corrupt`, where it says that
/// something is wrong. Of warnings that is the few which ffmpeg gives for files that are cut short;
/// it gives others for most files.
fn complaint(line: &str) -> Option<&str> {
    let mut rest = line;
    let mut warning = false;
    while let Some((tag, after)) = rest.strip_prefix('[').and_then(|tag| tag.split_once(']')) {
        warning |= tag == "warning";
        rest = after.trim_start();
    }
    let of_damage = |text: &str| text.contains("corrupt") || text.contains("do not match");
    (!rest.is_empty() && (!warning || of_damage(rest))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_a_file_is_damaged_is_told_from_what_does_not() {
        let said = "\
[warning] Guessed Channel Layout for Input Stream #0.0 : mono
[wav @ 0x560b929f6940] [warning] Packet corrupt (stream = 0, dts = NOPTS).
[mp3 @ 0x55d585322940] [warning] filesize and duration do not match (growing file?)

[flac @ 0x5599d4d13b80] [error] invalid residual
[flac @ 0x5599d4d13b81] [error] invalid residual
[fatal] a.wav: no";
        assert_eq!(
            listen(said.as_bytes()),
            [
                "Packet corrupt (stream = 0, dts = NOPTS).",
                "filesize and duration do not match (growing file?)",
                "invalid residual",
                "a.wav: no",
            ]
        );
        let many: String = (0..100).map(|i| format!("[error] {i}\n")).collect();
        let kept = listen(many.as_bytes());
        assert_eq!((kept.len(), &*kept[0], &*kept[7]), (8, "0", "99"));
    }
}
