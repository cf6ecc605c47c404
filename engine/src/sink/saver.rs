//! What saves one frame at a time, in whichever thread.

use std::fmt;
use std::io::Write as _;

use super::SinkError;
use crate::file::WholeFile;
use crate::frame::{OutputFrame, Size};

/// Encodes and writes frames. Each thread that saves frames owns one.
///
/// Dropping a saver that was not completed removes what it had begun.
pub(super) trait Saver: Send + 'static {
    /// Saves one frame and lets go of its buffer as early as possible.
    fn save(&mut self, frame: OutputFrame) -> Result<(), SinkError>;

    /// Every frame was saved: puts in place what was held back until then.
    fn complete(&mut self) -> Result<(), SinkError>;
}

/// Refuses a frame of another size than the sink was opened for.
pub(super) fn check_size(frame: &OutputFrame, expected: Size) -> Result<(), SinkError> {
    if frame.size == expected && frame.pixels.len() == expected.bytes() {
        Ok(())
    } else {
        Err(SinkError::FrameSize { index: frame.index, found: frame.size, expected })
    }
}

/// Appends `bytes` to `file`; `what` is what a message calls them.
pub(super) fn write(
    file: &mut WholeFile,
    what: fmt::Arguments<'_>,
    bytes: &[u8],
) -> Result<(), SinkError> {
    file.write_all(bytes).map_err(|source| SinkError::Write {
        what: what.to_string(),
        place: file.path().display().to_string(),
        source,
    })
}
