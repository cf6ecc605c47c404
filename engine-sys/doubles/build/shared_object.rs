//! One call of the C++ compiler: sources in, shared object out.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that holds every library: `OUT_DIR/doubles`.
pub(crate) fn folder() -> PathBuf {
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    Path::new(&out).join("doubles")
}

/// A shared object to be.
pub(crate) struct SharedObject {
    /// Where it goes; the file's name is also its SONAME.
    file: PathBuf,
    sources: Vec<PathBuf>,
    arguments: Vec<OsString>,
}

impl SharedObject {
    /// `file` below [`folder`].
    pub(crate) fn new(file: impl AsRef<Path>) -> Self {
        Self { file: folder().join(file), sources: Vec::new(), arguments: Vec::new() }
    }

    /// Adds every `.cpp` in `folder`, which is relative to this package. All files in it, headers
    /// too, make cargo build again when they change.
    pub(crate) fn sources_in(mut self, folder: &str) -> Self {
        println!("cargo::rerun-if-changed={folder}");
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let mut files: Vec<_> =
            entries.map(|entry| entry.expect("a readable folder").path()).collect();
        files.sort();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "cpp"));
        self.sources.extend(files);
        self
    }

    /// Adds an argument for the compiler, after the sources.
    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Has sources include files from `folder`, which is relative to this package. They make cargo
    /// build again when they change.
    pub(crate) fn includes(self, folder: &str) -> Self {
        println!("cargo::rerun-if-changed={folder}");
        self.argument(format!("-I{folder}"))
    }

    /// Links the control library, which lies in `folder` as seen from this object: `.`, `..`.
    pub(crate) fn controlled_from(self, folder_seen_from_here: &str) -> Self {
        let mut search = OsString::from("-L");
        search.push(folder());
        self.argument(search)
            .argument("-lengine_doubles")
            .argument(format!("-Wl,-rpath,$ORIGIN/{folder_seen_from_here}"))
    }

    /// Compiles and links.
    pub(crate) fn build(self) {
        let parent = self.file.parent().expect("a file lies in a folder");
        fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
        let name = self.file.file_name().expect("a file has a name");
        let mut soname = OsString::from("-Wl,-soname,");
        soname.push(name);
        let mut command = cc::Build::new().cpp(true).std("c++17").get_compiler().to_command();
        command
            .args(["-shared", "-fPIC", "-g", "-O1", "-pthread", "-Wall", "-Wextra"])
            .args(["-fvisibility=hidden", "-Wl,-Bsymbolic", "-Wl,--no-undefined"])
            .arg("-Icpp")
            .arg(soname)
            .arg("-o")
            .arg(&self.file)
            .args(&self.sources)
            .args(&self.arguments);
        let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(status.success(), "{command:?}: {status}");
    }
}
