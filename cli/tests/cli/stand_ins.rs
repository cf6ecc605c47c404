//! The program with stand-ins for NVIDIA's libraries: a driver and TensorRT over host memory, which
//! compute the network of exact arithmetic whatever engine they are given.

use std::path::PathBuf;
use std::process::Command;

use engine_sys::Flavour;

use crate::support::{Answer, Workplace};

/// A workplace on a machine with a GPU and one flavour of TensorRT.
pub(crate) struct Rig<'a> {
    pub(crate) work: &'a Workplace,
    pub(crate) flavour: Flavour,
    /// Whether there is a driver.
    pub(crate) driver: bool,
    /// The GPU's compute capability.
    pub(crate) capability: &'static str,
}

impl<'a> Rig<'a> {
    pub(crate) fn new(work: &'a Workplace, flavour: Flavour) -> Self {
        Self { work, flavour, driver: true, capability: "9.0" }
    }

    /// The program, about to run here.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.work.command(args);
        command
            .env("TENSORRT_LIB_DIR", engine_doubles::tensorrt_dir(self.flavour).unwrap())
            .env("XDG_CACHE_HOME", self.work.path("cache"))
            .env("ENGINE_DOUBLES_CC", self.capability);
        if self.driver {
            command.env("LD_LIBRARY_PATH", engine_doubles::cuda_dir());
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Answer {
        Answer::of(args, self.command(args).output().unwrap())
    }

    /// `convert-engine` of the package's network to `engine`, with more arguments.
    pub(crate) fn convert(&self, engine: &str, args: &[&str]) -> Answer {
        let convert = ["convert-engine", "pkg/checkpoint/model_best.onnx", "-o", engine];
        self.run(&[&convert[..], args].concat())
    }

    /// `render pkg -o out` on TensorRT, with more arguments.
    pub(crate) fn render(&self, out: &str, args: &[&str]) -> Answer {
        self.run(&[&["render", "pkg", "-o", out, "--backend", "tensorrt"], args].concat())
    }

    /// The engines that are kept, by name.
    pub(crate) fn kept(&self) -> Vec<String> {
        let mut names = self.work.names("cache/talking-head-engine/engines");
        names.retain(|name| name.ends_with(".engine"));
        names
    }

    /// Where they are kept.
    pub(crate) fn cache(&self) -> PathBuf {
        self.work.path("cache/talking-head-engine/engines")
    }
}

/// The flavours that there are stand-ins for; says so where there are none.
pub(crate) fn flavours() -> Vec<Flavour> {
    let built = |flavour: &Flavour| engine_doubles::tensorrt_dir(*flavour).is_some();
    let flavours: Vec<Flavour> = Flavour::ALL.into_iter().filter(built).collect();
    if flavours.is_empty() {
        eprintln!("SKIPPED: built without TensorRT's headers; run scripts/setup and build again");
    }
    flavours
}
