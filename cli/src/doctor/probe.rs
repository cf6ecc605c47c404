//! Looks at this machine; says nothing about it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use engine::backend::{OnnxRuntime, find_onnxruntime};
use engine::composite::{KernelLevel, opencv_version};
use engine_sys::Loader;
use engine_sys::search::{self, NoNvrtc};

use super::gpu::{Gpus, LIBCUDA};
use super::openvino::OpenVino;
use super::tensorrt::Installed;
use crate::args::DoctorArgs;
use crate::machine::Machine;

/// What was found, before anything is said about it.
pub(super) struct Probe {
    pub(super) built: Built,
    pub(super) machine: Machine,
    pub(super) openvino: OpenVino,
    /// The library that comes with NVIDIA's driver.
    pub(super) libcuda: Option<PathBuf>,
    /// Version of the NVIDIA driver that the kernel has loaded.
    pub(super) kernel_driver: Option<String>,
    pub(super) gpus: Gpus,
    /// One for each flavour.
    pub(super) tensorrt: Vec<Installed>,
    /// What compiles the kernels that composite on a GPU.
    pub(super) nvrtc: Result<PathBuf, NoNvrtc>,
    pub(super) ffmpeg: Tool,
}

/// What the engine knows about itself.
pub(super) struct Built {
    /// Where ONNX Runtime was found, or the places that were tried.
    pub(super) ort: Result<PathBuf, String>,
    /// Version of the OpenCV that is linked; `None` in builds without it.
    pub(super) opencv: Option<String>,
    /// The compositor that `--compositor auto` takes here.
    pub(super) compositor: String,
}

/// What came of running a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Missing,
    /// It could not be run, or said that it failed.
    Failed(String),
    /// Standard output.
    Said(String),
}

impl Probe {
    /// Looks at this machine.
    pub(super) fn run(args: &DoctorArgs) -> Self {
        // A library that is there but cannot be loaded is as good as none.
        let ort = find_onnxruntime(args.ort_lib.as_deref())
            .and_then(|path| OnnxRuntime::library_version(&path).map(|_| path));
        let kernel = std::fs::read_to_string("/proc/driver/nvidia/version").ok();
        Self {
            built: Built {
                ort: ort.map_err(|error| format!("{:#}", anyhow::Error::new(error))),
                opencv: opencv_version(),
                compositor: KernelLevel::fastest().to_string(),
            },
            machine: Machine::probe(),
            openvino: OpenVino::probe(args.openvino_lib.as_deref()),
            libcuda: Loader::of_this_process().find(LIBCUDA),
            kernel_driver: kernel.map(|text| driver_version(&text).to_owned()),
            gpus: Gpus::probe(),
            tensorrt: Installed::probe(args.tensorrt_lib.as_deref()),
            nvrtc: search::find_nvrtc(),
            ffmpeg: Tool::run("ffmpeg", &["-version"]),
        }
    }
}

impl Tool {
    pub(super) fn run(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        match command.args(arguments).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => {
                Self::Said(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(output) => {
                // nvidia-smi reports on standard output that it failed.
                let said = [output.stderr, output.stdout].concat();
                let said = String::from_utf8_lossy(&said);
                let line = said.lines().map(str::trim).find(|line| !line.is_empty());
                Self::Failed(line.map_or_else(|| output.status.to_string(), str::to_owned))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::Missing,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// The version in `/proc/driver/nvidia/version`.
fn driver_version(text: &str) -> &str {
    let is_version =
        |word: &&str| word.contains('.') && word.split('.').all(|part| part.parse::<u32>().is_ok());
    text.split_whitespace().find(is_version).unwrap_or("of unknown version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\n\
                      GCC version:  gcc version 12.2.0\n";
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release";
        assert_eq!([driver_version(closed), driver_version(open)], ["550.54.15", "580.95.05"]);
        assert_eq!(driver_version("nonsense"), "of unknown version");
    }

    #[test]
    fn programs_say_fail_or_are_missing() {
        assert_eq!(Tool::run("sh", &["-c", "echo out"]), Tool::Said("out\n".into()));
        let failed = Tool::run("sh", &["-c", "echo; echo why; exit 3"]);
        assert_eq!(failed, Tool::Failed("why".into()));
        let silent = Tool::run("sh", &["-c", "exit 3"]);
        assert_eq!(silent, Tool::Failed("exit status: 3".into()));
        assert_eq!(Tool::run("no-such-program-here", &[]), Tool::Missing);
    }
}
