//! The program that encodes, and one run of it.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use super::VideoError;
use crate::file::regular;

/// An ffmpeg that was found to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ffmpeg {
    program: PathBuf,
    version: String,
}

impl Ffmpeg {
    /// Asks `program` for its version.
    ///
    /// # Errors
    /// [`VideoError::NoFfmpeg`] and [`VideoError::BadFfmpeg`].
    pub fn find(program: &Path) -> Result<Self, VideoError> {
        let bad = |problem: String| VideoError::BadFfmpeg { program: program.to_owned(), problem };
        let answer = Command::new(program)
            .args(["-hide_banner", "-version"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => VideoError::NoFfmpeg { program: program.to_owned() },
                _ => bad(error.to_string()),
            })?;
        if !answer.status.success() {
            return Err(bad(ended(answer.status)));
        }
        let text = String::from_utf8_lossy(&answer.stdout);
        let mut words = text.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("ffmpeg"), Some("version"), Some(version)) => {
                Ok(Self { program: program.to_owned(), version: version.to_owned() })
            }
            _ => Err(bad("it does not say \"ffmpeg version\" first".to_owned())),
        }
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it calls its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Finds out whether `sound` has sound, before anything that takes long.
    pub(super) fn check_sound(&self, sound: &Path) -> Result<(), VideoError> {
        let unreadable =
            |source| VideoError::Io { attempt: "read", path: sound.to_owned(), source };
        let file = regular::open(sound).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() == 0 {
            let empty = "the file is empty; expected a sound file";
            return Err(unreadable(std::io::Error::other(empty)));
        }
        let input = as_file(sound);
        let arguments = [OsStr::new("-i"), &input];
        let first = ["-map", "0:a:0", "-frames:a", "1", "-f", "null", "-"].map(OsStr::new);
        let arguments = arguments.into_iter().chain(first);
        let run = self.start(arguments, Stdio::null(), Stdio::null())?;
        run.wait(&format!("looking for sound in {}", sound.display()))
    }

    /// Starts a run with these arguments. `input` says whether it is fed, `output` whether its
    /// standard output is read.
    pub(super) fn start<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: Stdio,
        output: Stdio,
    ) -> Result<Run, VideoError> {
        let mut command = Command::new(&self.program);
        command
            // Errors only; the rest is for people at terminals.
            .args(["-hide_banner", "-nostdin", "-v", "error", "-y"])
            .args(arguments)
            .stdin(input)
            .stdout(output)
            .stderr(Stdio::piped())
            // Ctrl-C is for the engine, which ends its runs when they are whole.
            .process_group(0);
        let failed = |error: io::Error| VideoError::BadFfmpeg {
            program: self.program.clone(),
            problem: error.to_string(),
        };
        let mut child = command.spawn().map_err(failed)?;
        let mut stderr = child.stderr.take();
        let listener = std::thread::Builder::new()
            .name("ffmpeg-errors".to_owned())
            .spawn(move || stderr.as_mut().map(last_of).unwrap_or_default())
            .map_err(failed);
        let mut run = Run { child, said: None };
        // An error drops the run, which ends the process.
        run.said = Some(listener?);
        Ok(run)
    }
}

/// A running ffmpeg. Dropped before it has ended, it is killed.
#[derive(Debug)]
pub(super) struct Run {
    child: Child,
    /// Reads what it says.
    said: Option<JoinHandle<String>>,
}

impl Run {
    /// What it is fed through, once.
    pub(super) fn take_input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// All that it writes to its standard output.
    pub(super) fn output(&mut self) -> io::Result<String> {
        let mut text = String::new();
        if let Some(output) = &mut self.child.stdout {
            output.read_to_string(&mut text)?;
        }
        Ok(text)
    }

    /// Waits for its end. Its input must be closed.
    pub(super) fn wait(mut self, while_doing: &str) -> Result<(), VideoError> {
        let status = self.child.wait();
        let said = self.said.take().and_then(|listener| listener.join().ok()).unwrap_or_default();
        let ended = match status {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => ended(status),
            Err(error) => format!("cannot be waited for ({error})"),
        };
        let said = match said.trim() {
            "" => "it gives no reason".to_owned(),
            text => text.lines().map(str::trim).collect::<Vec<_>>().join("; "),
        };
        Err(VideoError::Ffmpeg { ended, while_doing: while_doing.to_owned(), said })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // One that was waited for before is not touched by either.
        _ = self.child.kill();
        _ = self.child.wait();
        if let Some(listener) = self.said.take() {
            _ = listener.join();
        }
    }
}

/// A path as ffmpeg takes it for nothing but a file: not for a protocol, nor for an option.
pub(super) fn as_file(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// How a process ended that should have succeeded.
fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (_, Some(signal)) => format!("was killed by signal {signal}"),
        (Some(code), None) => format!("failed (exit status {code})"),
        (None, None) => "failed".to_owned(),
    }
}

/// The last of what a reader gives: enough for some messages, however many there are.
fn last_of(from: &mut impl Read) -> String {
    const KEPT: usize = 2048;
    let mut text = Vec::new();
    let mut part = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut part) {
        text.extend_from_slice(&part[..read]);
        let excess = text.len().saturating_sub(KEPT);
        text.drain(..excess);
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_are_no_ffmpeg() {
        let error = Ffmpeg::find(Path::new("no-such-program-here")).unwrap_err();
        assert!(matches!(error, VideoError::NoFfmpeg { .. }), "{error}");
        for (program, part) in
            [("true", "does not say"), ("false", "exit status 1"), ("/", "Permission denied")]
        {
            let error = Ffmpeg::find(Path::new(program)).unwrap_err().to_string();
            assert!(error.contains("cannot be run as ffmpeg") && error.contains(part), "{error}");
        }
    }

    #[test]
    fn only_the_last_messages_are_kept() {
        let text = "line\n".repeat(10_000) + "the end";
        let kept = last_of(&mut text.as_bytes());
        assert!(kept.len() <= 2048 && kept.ends_with("the end"), "{}", kept.len());
    }
}
