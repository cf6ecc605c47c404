//! NVIDIA's own libraries, as far as they go without a GPU.
//!
//! `scripts/test` fetches them; a test whose library is not there says so and does nothing.
#![cfg(feature = "tensorrt")]
#![expect(clippy::unwrap_used, reason = "test code")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use engine_sys::{BuildOptions, Engine, Error, Flavour, Library, Log, NoProgress, Severity};

/// Keeps what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<(Severity, String)>>);

impl Log for Told {
    fn message(&self, severity: Severity, text: &str) {
        self.0.lock().unwrap().push((severity, text.to_owned()));
    }
}

/// A file below `.deps/tensorrt/lib`, or `None` after saying that the test is skipped.
fn fetched(path: &str, test: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/tensorrt/lib").join(path);
    if path.is_file() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED {test}: no {}; run scripts/fetch-tensorrt-rtx and scripts/test",
        path.display()
    );
    None
}

/// Whether the driver is here: some tests show what happens without.
fn has_driver() -> bool {
    Path::new("/proc/driver/nvidia/version").exists()
}

#[test]
fn the_dispatch_libraries_say_their_version_and_miss_the_driver() {
    for (flavour, version) in [(Flavour::V10, "10.16.1.11"), (Flavour::V11, "11.4.0.106")] {
        let name = format!("dispatch/{}", flavour.dispatch_library().unwrap());
        let Some(path) = fetched(&name, "dispatch libraries") else { continue };
        let told = Arc::new(Told::default());
        let library = Library::open(flavour, &path, told.clone()).unwrap();
        assert_eq!((library.version().to_string().as_str(), library.can_build()), (version, false));
        let error = library
            .build(Path::new("unused"), b"", &BuildOptions::default(), Arc::new(NoProgress))
            .unwrap_err();
        assert!(matches!(error, Error::NoBuilder { .. }), "{error}");
        if has_driver() {
            eprintln!("SKIPPED the path without a driver: this machine has one");
            continue;
        }
        let error = Engine::deserialize(&library, b"no engine", false).err().unwrap();
        assert!(error.to_string().starts_with(flavour.title()), "{error}");
        eprintln!("{error}");
    }
}
