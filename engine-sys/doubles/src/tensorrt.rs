//! The TensorRT libraries and their ONNX parsers.

use std::path::{Path, PathBuf};

use engine_sys::Flavour;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// The folder with TensorRT's headers that the stand-in was built with; `None` where it was not
/// built because there were none.
pub fn tensorrt_headers(flavour: Flavour) -> Option<&'static Path> {
    let folder = match flavour {
        Flavour::Rtx => option_env!("ENGINE_DOUBLES_HEADERS_RTX"),
        Flavour::V11 => option_env!("ENGINE_DOUBLES_HEADERS_11"),
        Flavour::V10 => option_env!("ENGINE_DOUBLES_HEADERS_10"),
    };
    folder.map(Path::new)
}

/// The folder with the flavour's library and its parser under the names that the real ones have;
/// `None` where they were not built because there were no headers.
pub fn tensorrt_dir(flavour: Flavour) -> Option<&'static Path> {
    tensorrt_headers(flavour)?;
    Some(Path::new(match flavour {
        Flavour::Rtx => concat!(env!("OUT_DIR"), "/doubles/rtx"),
        Flavour::V11 => concat!(env!("OUT_DIR"), "/doubles/11"),
        Flavour::V10 => concat!(env!("OUT_DIR"), "/doubles/10"),
    }))
}

/// The flavour's library, which [`tensorrt_dir`] holds.
pub fn tensorrt_library(flavour: Flavour) -> Option<PathBuf> {
    Some(tensorrt_dir(flavour)?.join(flavour.runtime_library()))
}

/// The engine file that the stand-in builds of the sample network `probe` with this side, for
/// batches of `[min, opt, max]` frames, without building it. It fits the compute capability in
/// `ENGINE_DOUBLES_CC`.
///
/// # Panics
/// Where the stand-in was not built.
pub fn plan(flavour: Flavour, side: usize, batch: [usize; 3]) -> Vec<u8> {
    type ProbePlan = unsafe extern "C" fn(i64, i64, i64, i64, *mut u8, usize) -> usize;
    let file = tensorrt_library(flavour)
        .unwrap_or_else(|| panic!("{} was built without headers", flavour.title()));
    let number = |value: usize| i64::try_from(value).expect("a size fits");
    let [min, opt, max] = batch.map(number);
    // SAFETY: the library was built with this crate; it has no initialisers of its own.
    let library = unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_LOCAL) };
    let library = library.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    // SAFETY: this is the type that the source gives the function.
    let write = unsafe { library.get::<ProbePlan>(b"double_probe_plan") };
    let write = write.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut bytes = vec![0; 4096];
    // SAFETY: at most `bytes.len()` bytes are written.
    let len = unsafe { write(number(side), min, opt, max, bytes.as_mut_ptr(), bytes.len()) };
    assert!(len <= bytes.len(), "the plan has {len} bytes");
    bytes.truncate(len);
    bytes
}

/// The engine file with every `from` in its text replaced by `to` and a checksum that is right
/// again: one of another version, say, or with a shape that makes no sense.
///
/// # Panics
/// Where the plan is not one of a stand-in, or does not contain `from`.
pub fn altered(plan: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(plan).expect("a stand-in's plan is text");
    let end = text.rfind("end ").expect("a stand-in's plan has an end");
    assert!(text[..end].contains(from), "no {from:?} in {text}");
    let body = text[..end].replace(from, to);
    let sum = body.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{body}end {sum:016x}\n").into_bytes()
}
