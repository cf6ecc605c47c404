//! Segments and sound into one file.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use super::cuts::Cuts;
use super::ffmpeg::as_file;
use super::segments::Segments;
use super::{VideoError, VideoOptions};
use crate::file::WholeFile;

/// Joins the segments of a video into `output`, without encoding them again, and adds the
/// sound. The file appears whole, and replaces what was there.
pub(super) fn join(
    options: &VideoOptions,
    segments: &Segments,
    cuts: Cuts,
    output: &Path,
) -> Result<(), VideoError> {
    let frames = cuts.frames();
    let mut file = WholeFile::create(output)?;
    let mut list = WholeFile::create(&segments.folder().join("list"))?;
    list.fill(text(options, cuts).as_bytes())?;
    let mut arguments: Vec<OsString> = ["-f", "concat", "-i"].map(Into::into).into();
    arguments.push(as_file(list.partial_path()));
    if let Some(sound) = &options.sound {
        arguments.extend(["-i".into(), as_file(&sound.file)]);
        let end = seconds(options.rate.microseconds(frames));
        let filter = format!("apad,atrim=end={end}");
        let more = ["-map", "0:v:0", "-map", "1:a:0", "-af", &filter];
        arguments.extend(more.map(Into::into));
        arguments.extend(sound_codec(output).iter().map(Into::into));
        arguments.extend(["-flags:a", "+bitexact"].map(Into::into));
    }
    arguments
        .extend(["-c:v", "copy", "-fflags", "+bitexact", "-map_metadata", "-1"].map(Into::into));
    arguments.extend(["-progress", "pipe:1", "-f"].map(Into::into));
    arguments.extend(container(output).iter().map(Into::into));
    arguments.push(as_file(file.partial_path()));

    let mut run = options.ffmpeg.start(arguments, Stdio::null(), Stdio::piped())?;
    let told = run.output();
    run.wait("joining the segments")?;
    let told = told.map_err(|source| VideoError::Io {
        attempt: "hear how ffmpeg joins",
        path: output.to_owned(),
        source,
    })?;
    match joined_frames(&told) {
        Some(found) if found != frames => {
            return Err(VideoError::Frames { path: output.to_owned(), found, expected: frames });
        }
        _ => {}
    }
    file.fill(&[])?;
    Ok(file.commit()?)
}

/// The list of segments as ffmpeg's concat demuxer reads it.
fn text(options: &VideoOptions, cuts: Cuts) -> String {
    let segment = |(number, length): (u64, u64)| {
        format!("file {}\nduration {}\n", Segments::name(number), seconds(length))
    };
    let segments = (0..).zip(cuts.lengths(options.rate)).map(segment);
    "ffconcat version 1.0\n".to_owned() + &segments.collect::<String>()
}

/// Microseconds as ffmpeg reads seconds.
fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

/// The format, with what makes a file play while it is still being loaded.
fn container(output: &Path) -> &'static [&'static str] {
    match crate::sink::target::lower_extension(output).as_deref() {
        Some("mkv") => &["matroska"],
        Some("mov") => &["mov", "-movflags", "+faststart"],
        _ => &["mp4", "-movflags", "+faststart"],
    }
}

/// AAC begins before its time. Matroska has no way to say so, and shows the first frame late instead.
fn sound_codec(output: &Path) -> &'static [&'static str] {
    match container(output) {
        ["matroska", ..] => &["-c:a", "flac", "-sample_fmt", "s16"],
        _ => &["-c:a", "aac", "-b:a", "192k"],
    }
}

/// The number of video frames in what `-progress` told last.
fn joined_frames(told: &str) -> Option<u64> {
    told.lines().rev().find_map(|line| line.strip_prefix("frame=")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_from_the_last_report() {
        assert_eq!(joined_frames("frame=10\nfps=1\nframe=25\nprogress=end\n"), Some(25));
        assert_eq!(joined_frames("progress=end\n"), None);
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(0), "0.000000");
        assert_eq!(seconds(3_600_040_001), "3600.040001");
    }
}
