//! Results on stdout, remarks on stderr.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

/// Says something on stderr. A reader that has gone away, or a full disk behind it, is no reason to
/// stop working, so what cannot be said is left out.
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _unsaid = writeln!(std::io::stderr(), $($text)*);
    }};
}
pub(crate) use note;

/// Prints `text` and a line end. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn line(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}
