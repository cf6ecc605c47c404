//! Opening files that someone named, which may be something else.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Opens a file for reading. Opening a named pipe would wait for whoever writes to it, and devices
/// such as `/dev/zero` never end.
///
/// # Errors
/// The system's, or one that says what there is instead of a file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    match special(fs::metadata(path)?.file_type()) {
        Some(kind) => Err(io::Error::other(format!("this is {kind}; expected a regular file"))),
        None => File::open(path),
    }
}

/// All bytes of a file.
///
/// # Errors
/// As [`open`], and where reading fails.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same for a file that has at most `largest` bytes.
///
/// # Errors
/// As [`open`], where reading fails, and where there are more.
pub(crate) fn read_at_most(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > largest {
        true => Err(io::Error::other(format!("it is larger than {largest} bytes"))),
        false => Ok(bytes),
    }
}

/// What kind of thing that cannot be read like a file. Folders are left to the system to refuse.
fn special(kind: FileType) -> Option<&'static str> {
    let kinds = [
        (kind.is_fifo(), "a pipe"),
        (kind.is_char_device(), "a device"),
        (kind.is_block_device(), "a device"),
        (kind.is_socket(), "a socket"),
    ];
    kinds.into_iter().find_map(|(is, name)| is.then_some(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn files_are_read_and_other_things_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "bytes").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        assert_eq!(read(&path("link")).unwrap(), b"bytes");

        let _listener = UnixListener::bind(path("socket")).unwrap();
        let problem = |path: &Path| read(path).unwrap_err().to_string();
        assert_eq!(problem(&path("socket")), "this is a socket; expected a regular file");
        assert_eq!(problem(Path::new("/dev/zero")), "this is a device; expected a regular file");
        assert!(problem(folder.path()).contains("Is a directory"));
        assert_eq!(open(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
