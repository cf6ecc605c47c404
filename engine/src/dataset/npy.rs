//! NumPy's .npy files: the header, and arrays of floats.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::DatasetError;
use crate::file::regular;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Headers are about 100 bytes; anything near this is not a header.
const LONGEST_HEADER: usize = 1 << 20;

/// What the header says, and where the data starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) descr: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
}

/// An open .npy file, positioned at its data.
pub(super) struct NpyFile {
    reader: BufReader<File>,
    /// Bytes after the header.
    pub(super) data_bytes: u64,
    pub(super) header: Header,
}

impl NpyFile {
    /// Opens a file and reads its header.
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let io_error = |source| DatasetError::Io { path: path.to_owned(), source };
        let problem = |problem: String| DatasetError::Features { path: path.to_owned(), problem };

        let file = regular::open(path).map_err(io_error)?;
        let file_bytes = file.metadata().map_err(io_error)?.len();
        let mut reader = BufReader::new(file);
        let cut_short =
            || problem(format!("the file ends inside the .npy header ({file_bytes} bytes)"));

        let mut start = Vec::with_capacity(12);
        (&mut reader).take(8).read_to_end(&mut start).map_err(io_error)?;
        if !start.starts_with(MAGIC) {
            return Err(problem("not a .npy file; expected one written by numpy.save".to_owned()));
        }
        let &[_, _, _, _, _, _, major, minor] = &start[..] else { return Err(cut_short()) };
        let length_bytes = match (major, minor) {
            (1, 0) => 2,
            (2 | 3, 0) => 4,
            _ => {
                return Err(problem(format!(
                    ".npy version {major}.{minor}; expected 1.0, 2.0 or 3.0"
                )));
            }
        };
        let mut length = [0; 4];
        reader.read_exact(&mut length[..length_bytes]).map_err(|_| cut_short())?;
        let header_bytes = u32::from_le_bytes(length) as usize;
        if header_bytes > LONGEST_HEADER {
            return Err(problem(format!(
                "a .npy header of {header_bytes} bytes; expected at most {LONGEST_HEADER}"
            )));
        }
        let mut text = vec![0; header_bytes];
        reader.read_exact(&mut text).map_err(|_| cut_short())?;
        let header = std::str::from_utf8(&text).ok().and_then(parse_header).ok_or_else(|| {
            problem(
                "a .npy header that cannot be read; expected {'descr': ..., 'fortran_order': ..., \
                 'shape': ...}"
                    .to_owned(),
            )
        })?;
        let data_bytes = file_bytes.saturating_sub((8 + length_bytes + header_bytes) as u64);
        Ok(Self { reader, data_bytes, header })
    }

    /// The `data_bytes` bytes after the header.
    pub(super) fn read_data(mut self, path: &Path) -> Result<Vec<u8>, DatasetError> {
        let mut data = Vec::new();
        self.reader
            .read_to_end(&mut data)
            .map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
        Ok(data)
    }
}

/// Parses the header's Python dictionary. `None` where it is not one with exactly the three keys.
fn parse_header(text: &str) -> Option<Header> {
    let mut literal = Literal { rest: text.trim_end_matches(['\n', ' ', '\0']) };
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    literal.expect('{')?;
    while !literal.accept('}') {
        let key = literal.string()?;
        literal.expect(':')?;
        let fresh = match key {
            "descr" => descr.replace(literal.descr()?.to_owned()).is_none(),
            "fortran_order" => fortran_order.replace(literal.boolean()?).is_none(),
            "shape" => shape.replace(literal.tuple()?).is_none(),
            _ => false,
        };
        if !fresh {
            return None;
        }
        if !literal.accept(',') {
            literal.expect('}')?;
            break;
        }
    }
    literal.rest.is_empty().then_some(())?;
    Some(Header { descr: descr?, fortran_order: fortran_order?, shape: shape? })
}

/// What is left of a Python literal.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    fn accept(&mut self, token: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: char) -> Option<()> {
        self.accept(token).then_some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = if self.accept('\'') { '\'' } else { self.expect('"').map(|()| '"')? };
        let (string, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(string)
    }

    /// A plain type name, or the whole list of a structured type as it stands.
    fn descr(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        if !self.rest.starts_with('[') {
            return self.string();
        }
        let mut depth = 0;
        let end = self.rest.char_indices().find_map(|(at, c)| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            (depth == 0).then_some(at + 1)
        })?;
        let (list, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(list)
    }

    fn boolean(&mut self) -> Option<bool> {
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.trim_start().strip_prefix(word) {
                self.rest = rest;
                return Some(value);
            }
        }
        None
    }

    fn tuple(&mut self) -> Option<Vec<u64>> {
        let mut values = Vec::new();
        self.expect('(')?;
        while !self.accept(')') {
            let digits = self.rest.find(|c: char| !c.is_ascii_digit())?;
            values.push(self.rest[..digits].parse().ok()?);
            self.rest = &self.rest[digits..];
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_numpy_writes_them() {
        let header =
            parse_header("{'descr': '<f4', 'fortran_order': False, 'shape': (522, 512), }   \n");
        let expected = Header { descr: "<f4".into(), fortran_order: false, shape: vec![522, 512] };
        assert_eq!(header, Some(expected));
        let scalar = parse_header("{'descr': '|u1', 'fortran_order': True, 'shape': ()}").unwrap();
        assert_eq!((scalar.shape, scalar.fortran_order), (vec![], true));
        let row =
            parse_header("{\"shape\": (3,), 'fortran_order': False, 'descr': '<f8'}").unwrap();
        assert_eq!(row.shape, [3]);
        let fields =
            "{'descr': [('a', '<f4'), ('b', '<i2', (2,))], 'fortran_order': False, 'shape': (1,)}";
        assert_eq!(parse_header(fields).unwrap().descr, "[('a', '<f4'), ('b', '<i2', (2,))]");
    }

    #[test]
    fn damaged_headers_are_refused() {
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'shape': (1, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)} x",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}",
            "{'descr': [[, 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'more': '1'}",
        ] {
            assert_eq!(parse_header(text), None, "{text}");
        }
    }
}
