//! Whether a shared library is all there.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of the header of a 64-bit ELF file, and of one entry of its table of segments.
const HEADER: usize = 64;
const SEGMENT: usize = 56;

/// Says what is wrong with the file of a shared library that was cut short: the dynamic loader maps
/// such a file all the same, and the process dies when it touches what is missing. Files of other
/// kinds pass, since the loader has words for them.
///
/// # Errors
/// What is missing, to be put behind the file's name.
pub fn check_whole(path: &Path) -> Result<(), String> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let Ok(length) = file.metadata().map(|data| data.len()) else { return Ok(()) };
    match needed(&file) {
        Some(needed) if length < needed => {
            Err(format!("is cut short: it has {length} bytes; expected at least {needed}"))
        }
        _ => Ok(()),
    }
}

/// Where the last segment that is loaded ends; `None` for files that are not little-endian 64-bit
/// ELF.
fn needed(mut file: &File) -> Option<u64> {
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    if header[..6] != *b"\x7fELF\x02\x01" {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let (table, size, count) =
        (number(&header[32..40]), number(&header[54..56]), number(&header[56..58]));
    if size != SEGMENT as u64 {
        return None;
    }
    let end = table.checked_add(size.checked_mul(count)?)?;
    let mut segments = vec![0; usize::try_from(size * count).ok()?];
    // The table follows the header in every library that a linker made.
    if table != HEADER as u64 || file.read_exact(&mut segments).is_err() {
        return Some(end);
    }
    let ends = segments.chunks_exact(SEGMENT).map(|segment| {
        let (offset, bytes) = (number(&segment[8..16]), number(&segment[32..40]));
        offset.saturating_add(bytes)
    });
    ends.chain([end]).max()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_library_that_is_cut_short_is_found_out() {
        // Any program of this kind will do.
        let program = std::env::current_exe().unwrap();
        assert_eq!(check_whole(&program), Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let bytes = fs::read(program).unwrap();
        let cut = folder.path().join("cut.so");
        for part in [80, 1000, bytes.len() / 10] {
            fs::write(&cut, &bytes[..part]).unwrap();
            let problem = check_whole(&cut).unwrap_err();
            assert!(
                problem.starts_with(&format!("is cut short: it has {part} bytes")),
                "{problem}"
            );
        }
        for other in [&b""[..], b"text", b"\x7fELF\x01", &[0; 4096]] {
            fs::write(&cut, other).unwrap();
            assert_eq!(check_whole(&cut), Ok(()));
        }
        assert_eq!(check_whole(Path::new("/nowhere")), Ok(()));
    }
}
