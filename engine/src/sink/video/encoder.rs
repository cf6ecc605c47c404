//! Frames into one segment.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};

use super::ffmpeg::{Run, as_file};
use super::segments::Segments;
use super::{VideoError, VideoOptions};
use crate::file::WholeFile;
use crate::frame::Size;

/// An ffmpeg that encodes the frames it is given into a segment. The segment takes its name when it
/// is whole; dropped before that, nothing of it stays.
pub(super) struct Encoder {
    run: Run,
    input: ChildStdin,
    file: WholeFile,
}

impl Encoder {
    /// Starts on the segment at `path`, of frames of `size` pixels.
    pub(super) fn start(
        options: &VideoOptions,
        size: Size,
        path: &Path,
    ) -> Result<Self, VideoError> {
        let file = WholeFile::create(path)?;
        let pipe = |attempt, source| VideoError::Io { attempt, path: path.to_owned(), source };
        let mut run = options.ffmpeg.start(
            arguments(options, size)
                .into_iter()
                .map(Into::into)
                .chain([as_file(file.partial_path())]),
            Stdio::piped(),
            Stdio::null(),
        )?;
        let input = run.take_input();
        let input = input.ok_or_else(|| pipe("feed", ErrorKind::BrokenPipe.into()))?;
        // A frame is 40 times as large as a pipe usually is. Where the system does not allow more,
        // it only takes longer.
        _ = rustix::pipe::fcntl_setpipe_size(&input, 1 << 20);
        Ok(Self { run, input, file })
    }

    /// Encodes one more frame. After an error, [`explain`](Self::explain) says why.
    pub(super) fn write(&mut self, pixels: &[u8]) -> io::Result<()> {
        self.input.write_all(pixels)
    }

    /// Why `error` came of writing frame `index`: what ffmpeg said before it left.
    pub(super) fn explain(self, index: u64, error: io::Error) -> VideoError {
        let Self { run, input, file } = self;
        drop(input);
        match run.wait(&format!("encoding frame {index}")) {
            Err(error) => error,
            // It left without a complaint.
            Ok(()) => {
                let path = file.path().to_owned();
                VideoError::Io { attempt: "feed ffmpeg for", path, source: error }
            }
        }
    }

    /// Waits until all frames are encoded, up to `last`, and gives the segment its name.
    pub(super) fn finish(self, last: u64) -> Result<(), VideoError> {
        let Self { run, input, mut file } = self;
        drop(input);
        run.wait(&format!("encoding up to frame {last}"))?;
        // What ffmpeg wrote is on the disk before the segment counts as whole.
        file.fill(&[])?;
        Segments::note_hash(file.path(), file.partial_path())?;
        Ok(file.commit()?)
    }
}

fn arguments(options: &VideoOptions, size: Size) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "-f",
        "rawvideo",
        "-pixel_format",
        "bgr24",
        "-video_size",
        &size.to_string(),
        "-framerate",
        &options.rate.to_string(),
        "-i",
        "pipe:0",
        "-an",
        // Without being told, players guess the matrix from the size, and ffmpeg takes another.
        "-vf",
        "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
        "-colorspace",
        "bt709",
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
        "-color_range",
        "tv",
    ]
    .map(str::to_owned)
    .into();
    arguments.extend(options.codec.arguments());
    arguments.extend(
        [
            "-threads",
            &options.threads.to_string(),
            // The same frames give the same bytes.
            "-fflags",
            "+bitexact",
            "-flags:v",
            "+bitexact",
            "-map_metadata",
            "-1",
            "-f",
            "mp4",
        ]
        .map(str::to_owned),
    );
    arguments
}
