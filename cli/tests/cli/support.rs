//! A folder to work in, packages to work on, and the program's answers.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use engine::backend::find_onnxruntime;
use engine::frame::Size;
use engine::sample::{Batch, Form, NetworkKind, SampleOptions, write_package};
use engine::sink::ImageFormat;
use tempfile::TempDir;

/// Frames of the sample packages, and their feature rows.
pub(crate) const FRAMES: usize = 6;
/// Size of their backgrounds.
pub(crate) const SIZE: Size = Size::new(192, 108);
/// A backend that needs nothing installed, and next to no time.
pub(crate) const SIMULATED: [&str; 4] = ["--backend", "simulated", "--simulated-ms", "0.1"];

/// The options of a small package: PNG files and a network of exact arithmetic.
pub(crate) fn small() -> SampleOptions {
    SampleOptions {
        frames: FRAMES,
        size: SIZE,
        side: 32,
        form: Form::Images(ImageFormat::Png),
        network: NetworkKind::Probe,
        batch: Batch::Symbolic,
        seed: 3,
        rects: None,
    }
}

/// A temporary folder, which is the program's working folder, and another one where it keeps what it
/// found out.
pub(crate) struct Workplace {
    folder: TempDir,
    cache: TempDir,
}

impl Workplace {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() }
    }

    /// One with a [`small`] package in `pkg`.
    pub(crate) fn new() -> Self {
        Self::with(&small())
    }

    /// One with a package in `pkg`.
    pub(crate) fn with(options: &SampleOptions) -> Self {
        let workplace = Self::empty();
        workplace.sample("pkg", options);
        workplace
    }

    /// Adds a package.
    pub(crate) fn sample(&self, name: &str, options: &SampleOptions) {
        write_package(self.path(name), options, |_| ControlFlow::Continue(())).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// Cuts a file to half its length.
    pub(crate) fn halve(&self, name: &str) {
        let bytes = fs::read(self.path(name)).unwrap();
        self.write(name, &bytes[..bytes.len() / 2]);
    }

    /// The program, about to run here.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine-cli"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.cache.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Answer {
        Answer::of(args, self.command(args).output().unwrap())
    }

    /// `render pkg -o out` on the simulated backend, with more arguments.
    pub(crate) fn render(&self, args: &[&str]) -> Answer {
        self.run(&[&["render", "pkg", "-o", "out"], &SIMULATED[..], args].concat())
    }

    /// Starts the program with its output kept for [`Answer::of`].
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Where the program keeps what can be made again.
    pub(crate) fn cache(&self) -> PathBuf {
        self.cache.path().join("talking-head-engine")
    }

    /// The files in which the program keeps what it measured.
    pub(crate) fn decisions(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache().join("decisions")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The sorted names in a folder, hidden ones included; none where there is no such folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Asserts that [`render`](Self::render) refuses and leaves nothing behind.
    #[track_caller]
    pub(crate) fn assert_render_refused(&self, args: &[&str], parts: &[&str]) {
        self.render(args).assert_refused(parts);
        assert_eq!(self.names("out"), [""; 0], "something was written");
    }
}

/// What the program answered.
pub(crate) struct Answer {
    asked: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn of(args: &[&str], output: Output) -> Self {
        Self {
            asked: args.join(" "),
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn assert_ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}: {}", self.asked, self.stderr);
        assert!(!self.stderr.contains("error:"), "{}: {}", self.asked, self.stderr);
        self
    }

    /// Exit 1, nothing on stdout, and one error that has all `parts`, causes included.
    #[track_caller]
    pub(crate) fn assert_refused(&self, parts: &[&str]) {
        self.assert_failed(1, parts);
        assert_eq!(self.stdout, b"", "{}", self.asked);
    }

    /// Exit 2, nothing on stdout, and one error that has all `parts`.
    #[track_caller]
    pub(crate) fn assert_usage(&self, parts: &[&str]) {
        self.assert_failed(2, parts);
        assert_eq!(self.stdout, b"", "{}", self.asked);
    }

    /// One error that has all `parts`.
    #[track_caller]
    pub(crate) fn assert_failed(&self, code: i32, parts: &[&str]) {
        let Self { asked, stderr, .. } = self;
        assert_eq!(self.code, Some(code), "{asked}: {stderr}");
        assert_eq!(stderr.matches("error:").count(), 1, "{asked}: {stderr}");
        let at = stderr.find("error: ").unwrap();
        assert!(
            at == 0 || stderr[..at].ends_with('\n'),
            "{asked}: not at a line's start: {stderr}"
        );
        for part in parts {
            assert!(stderr[at..].contains(part), "{asked}: no {part:?} in: {stderr}");
        }
        for word in ["panicked", "RUST_BACKTRACE", "unwrap"] {
            assert!(!stderr.contains(word), "{asked}: {stderr}");
        }
    }
}

/// Whether the tests that run networks can; says so where they cannot.
pub(crate) fn has_onnxruntime() -> bool {
    match find_onnxruntime(None) {
        Ok(_) => true,
        Err(error) => {
            eprintln!("SKIPPED: {error}; run scripts/setup");
            false
        }
    }
}

/// All files of a folder, with their bytes.
#[cfg(feature = "cuda")]
pub(crate) fn files(work: &Workplace, folder: &str) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = std::fs::read(work.path(folder).join(&name)).unwrap();
        (name, bytes)
    };
    work.names(folder).into_iter().map(read).collect()
}

/// A .npy file as numpy.save writes it.
pub(crate) fn npy(descr: &str, fortran_order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

/// A .npy file of `rows` feature rows, each different.
pub(crate) fn features(rows: usize) -> Vec<u8> {
    let data: Vec<u8> =
        (0..rows * 512).flat_map(|i| ((i % 977) as f32 / 977.0).to_le_bytes()).collect();
    npy("<f4", "False", &format!("({rows}, 512)"), &data)
}

/// The pixels of an image file, packed BGR as the engine has them.
pub(crate) fn bgr(path: &Path) -> Vec<u8> {
    let mut pixels = image::open(path).unwrap().into_rgb8().into_raw();
    pixels.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
    pixels
}

/// Names of the first `count` frames.
pub(crate) fn frame_names(count: usize, extension: &str) -> Vec<String> {
    (0..count).map(|index| format!("frame_{index:05}.{extension}")).collect()
}

/// A file system of one size, as long as it lives.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None`, with the reason on stderr, where mounting is not permitted.
    pub(crate) fn mount(folder: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let options = format!("size={size}");
        let args = ["-t", "tmpfs", "-o", &options, "tmpfs"];
        match Command::new("mount").args(args).arg(folder).output() {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                eprintln!("SKIPPED: no tmpfs: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                eprintln!("SKIPPED: cannot run mount: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays", self.0.display());
    }
}

/// Waits until something has happened; the program is stuck if it takes this long.
pub(crate) fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !happened() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        sleep(Duration::from_millis(5));
    }
}

pub(crate) fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
