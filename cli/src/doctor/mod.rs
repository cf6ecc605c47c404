//! What this machine offers, and what to do about what is missing.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;
use engine::backend::{OnnxRuntime, find_onnxruntime};
use engine::composite::{KernelLevel, opencv_version};
use engine_sys::Loader;

use crate::Outcome;
use crate::args::DoctorArgs;
use crate::machine::Machine;
use crate::output;

const TENSORRT: [&str; 3] = ["libtensorrt_rtx.so.1", "libnvinfer.so.11", "libnvinfer.so.10"];

pub(crate) fn run(args: &DoctorArgs) -> Result<Outcome> {
    // A library that is there but cannot be loaded is as good as none.
    let ort = find_onnxruntime(args.ort_lib.as_deref())
        .and_then(|path| OnnxRuntime::library_version(&path).map(|_| path));
    let built = Built {
        ort: ort.map_err(|error| format!("{:#}", anyhow::Error::new(error))),
        opencv: opencv_version(),
        compositor: KernelLevel::fastest().to_string(),
    };
    output::line(Probe::run(built).report())?;
    Ok(Outcome::Done)
}

/// What the engine knows about itself.
pub(crate) struct Built {
    /// Where ONNX Runtime was found, or the places that were tried.
    pub ort: Result<PathBuf, String>,
    /// Version of the OpenCV that is linked; `None` in builds without it.
    pub opencv: Option<String>,
    /// The compositor that `--compositor auto` takes here.
    pub compositor: String,
}

/// What was found, before anything is said about it.
pub(crate) struct Probe {
    built: Built,
    machine: Machine,
    /// `libcuda.so.1`, which comes with NVIDIA's driver.
    libcuda: Option<PathBuf>,
    /// Version of the NVIDIA driver that the kernel has loaded.
    kernel_driver: Option<String>,
    nvidia_smi: Tool,
    tensorrt: Vec<PathBuf>,
    ffmpeg: Tool,
}

/// What came of running a program.
#[derive(Debug, PartialEq, Eq)]
enum Tool {
    Missing,
    /// It could not be run, or said that it failed.
    Failed(String),
    /// Standard output.
    Said(String),
}

impl Probe {
    /// Looks at this machine.
    pub(crate) fn run(built: Built) -> Self {
        let loader = Loader::of_this_process();
        let kernel = std::fs::read_to_string("/proc/driver/nvidia/version").ok();
        Self {
            built,
            machine: Machine::probe(),
            libcuda: loader.find("libcuda.so.1"),
            kernel_driver: kernel.map(|text| driver_version(&text).to_owned()),
            nvidia_smi: Tool::run("nvidia-smi", &["-L"]),
            tensorrt: TENSORRT.iter().filter_map(|name| loader.find(name)).collect(),
            ffmpeg: Tool::run("ffmpeg", &["-version"]),
        }
    }

    /// One finding a line of the report.
    pub(crate) fn report(&self) -> Report {
        let machine = &self.machine;
        let system = format!("{}, Linux {}, {}", machine.os, machine.kernel, machine.arch);
        Report(vec![
            Finding::ok("engine", format!("version {}", machine.engine_version)),
            Finding::ok("system", system),
            self.processor(),
            self.compositor(),
            self.cores(),
            Finding::ok("memory", format!("{:.1} GiB", machine.memory_mb as f64 / 1024.0)),
            self.onnx_runtime(),
            self.opencv(),
            self.cuda_driver(),
            self.gpus(),
            self.tensorrt(),
            self.ffmpeg(),
        ])
    }

    fn processor(&self) -> Finding {
        let Machine { cpu, cpu_features, .. } = &self.machine;
        let name = if cpu.is_empty() { "unnamed processor" } else { cpu };
        Finding::ok("cpu", format!("{name}: {}", cpu_features.join(" ")))
    }

    fn compositor(&self) -> Finding {
        let level = &self.built.compositor;
        if level == "scalar" {
            let text = "scalar, since this CPU has no AVX2; the bytes are the same, only slower";
            Finding::note("compositor", text)
        } else {
            Finding::ok("compositor", level.clone())
        }
    }

    fn cores(&self) -> Finding {
        match self.machine.cores {
            1 => Finding::note("cores", "1 for this process").advise(
                "With one core, stages overlap only while an accelerator works. If the machine has \
                 more, look at the container's CPU limit and at taskset.",
            ),
            cores => Finding::ok("cores", format!("{cores} for this process")),
        }
    }

    fn onnx_runtime(&self) -> Finding {
        match &self.built.ort {
            Ok(path) => Finding::ok("ONNX Runtime", path.display().to_string()),
            Err(tried) => Finding::missing("ONNX Runtime", tried.clone()).advise(
                "Run scripts/test --setup-only in the repository. Or run pip install onnxruntime \
                 and set ORT_DYLIB_PATH (or --ort-lib) to the libonnxruntime.so in its \
                 onnxruntime/capi folder. Until then only --backend simulated works.",
            ),
        }
    }

    fn opencv(&self) -> Finding {
        match &self.built.opencv {
            Some(version) => Finding::ok("OpenCV", format!("{version}, linked")),
            None => Finding::missing(
                "OpenCV",
                "built without it: packages must be unpacked (images instead of mp4), there is no \
                 --compositor opencv, and writing JPG takes longer",
            )
            .advise(
                "Run apt-get install --no-install-recommends libopencv-dev clang libclang-dev and \
                 build again with the default features: cargo build --release -p engine-cli.",
            ),
        }
    }

    fn cuda_driver(&self) -> Finding {
        match (&self.libcuda, &self.kernel_driver) {
            (Some(path), Some(version)) => {
                Finding::ok("CUDA driver", format!("{version}, {}", path.display()))
            }
            (Some(path), None) => {
                let text = format!("{}, but the kernel has loaded no driver", path.display());
                Finding::note("CUDA driver", text)
            }
            (None, Some(version)) => {
                let text = format!("the kernel has {version}, but there is no libcuda.so.1");
                Finding::missing("CUDA driver", text).advise(
                    "In a container, start it with --gpus all (NVIDIA Container Toolkit). \
                     Elsewhere, install the driver's libcuda1 package of the same version.",
                )
            }
            (None, None) => Finding::note("CUDA driver", "none, not needed on the CPU"),
        }
    }

    fn gpus(&self) -> Finding {
        match &self.nvidia_smi {
            Tool::Said(text) => {
                let gpus = gpu_names(text);
                if gpus.is_empty() {
                    Finding::note("GPUs", "nvidia-smi lists none")
                } else {
                    let unused = "; this version computes on the CPU and does not use them";
                    Finding::note("GPUs", gpus.join(", ") + unused)
                }
            }
            Tool::Failed(why) => Finding::note("GPUs", format!("nvidia-smi failed: {why}")),
            Tool::Missing => Finding::note("GPUs", "no nvidia-smi, so no NVIDIA GPU is set up"),
        }
    }

    fn tensorrt(&self) -> Finding {
        let found: Vec<_> = self.tensorrt.iter().map(|path| path.display().to_string()).collect();
        let libraries = if found.is_empty() { "no library found".into() } else { found.join(", ") };
        let built = if engine_sys::Flavour::ALL.iter().any(|flavour| flavour.headers().is_some()) {
            "built in"
        } else {
            "not part of this build"
        };
        Finding::note("TensorRT", format!("{built}; {libraries}"))
    }

    fn ffmpeg(&self) -> Finding {
        let use_of_it = "It is only needed to turn frames into a video: apt-get install ffmpeg.";
        match &self.ffmpeg {
            Tool::Said(text) => Finding::ok("ffmpeg", ffmpeg_version(text)),
            Tool::Failed(why) => {
                Finding::note("ffmpeg", format!("does not run: {why}")).advise(use_of_it)
            }
            Tool::Missing => Finding::note("ffmpeg", "not on PATH").advise(use_of_it),
        }
    }
}

impl Tool {
    fn run(program: &str, arguments: &[&str]) -> Self {
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

/// The GPUs that `nvidia-smi -L` lists, without their serial numbers.
fn gpu_names(text: &str) -> Vec<String> {
    let gpus = text.lines().filter(|line| line.starts_with("GPU "));
    gpus.map(|line| line.split(" (UUID").next().unwrap_or(line).to_owned()).collect()
}

/// The version in the first line of `ffmpeg -version`.
fn ffmpeg_version(text: &str) -> String {
    let mut words = text.split_whitespace().skip_while(|&word| word != "version").skip(1);
    words.next().unwrap_or("of unknown version").to_owned()
}

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ok,
    /// Something that would be used is not there.
    Missing,
    /// Worth knowing; nothing that works today needs it.
    Note,
}

struct Finding {
    mark: Mark,
    name: &'static str,
    text: String,
    advice: Option<&'static str>,
}

impl Finding {
    fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { mark: Mark::Ok, name, text: text.into(), advice: None }
    }

    fn missing(name: &'static str, text: impl Into<String>) -> Self {
        Self { mark: Mark::Missing, ..Self::ok(name, text) }
    }

    fn note(name: &'static str, text: impl Into<String>) -> Self {
        Self { mark: Mark::Note, ..Self::ok(name, text) }
    }

    fn advise(self, advice: &'static str) -> Self {
        Self { advice: Some(advice), ..self }
    }
}

/// The findings; prints as an aligned list, then what to do.
pub(crate) struct Report(Vec<Finding>);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
        for Finding { mark, name, text, .. } in &self.0 {
            let mark = match mark {
                Mark::Ok => "ok",
                Mark::Missing => "missing",
                Mark::Note => "note",
            };
            let mut lines = text.lines();
            writeln!(f, "{mark:<7}  {name:<width$}  {}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(f, "{:<7}  {:<width$}  {line}", "", "")?;
            }
        }
        let advised = || self.0.iter().filter_map(|f| Some((f.name, f.advice?)));
        if advised().next().is_none() {
            return writeln!(f, "\nNothing to do.");
        }
        writeln!(f, "\nWhat to do")?;
        for (name, advice) in advised() {
            writeln!(f, "  {name}: {advice}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Probe {
        Probe {
            built: Built {
                ort: Err("not found; tried:\n/a\n/b".into()),
                opencv: None,
                compositor: "scalar".into(),
            },
            machine: Machine {
                cpu: "Some CPU".into(),
                arch: "x86_64",
                cores: 1,
                cpu_features: vec!["avx2".into(), "fma".into()],
                memory_mb: 2048,
                os: "Debian".into(),
                kernel: "6.1".into(),
                engine_version: "0.1.0",
            },
            libcuda: None,
            kernel_driver: None,
            nvidia_smi: Tool::Missing,
            tensorrt: vec![],
            ffmpeg: Tool::Missing,
        }
    }

    fn equipped() -> Probe {
        let gpus = "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n";
        Probe {
            built: Built {
                ort: Ok("/lib/libonnxruntime.so".into()),
                opencv: Some("4.6.0".into()),
                compositor: "avx2".into(),
            },
            machine: Machine { cores: 16, ..bare().machine },
            libcuda: Some("/lib/libcuda.so.1".into()),
            kernel_driver: Some("580.95.05".into()),
            nvidia_smi: Tool::Said(gpus.into()),
            tensorrt: vec!["/lib/libnvinfer.so.10".into()],
            ffmpeg: Tool::Said("ffmpeg version 5.1.6-0+deb12u1 Copyright (c)\nbuilt with".into()),
        }
    }

    fn line<'a>(text: &'a str, name: &str) -> &'a str {
        let mut lines = text.lines().take_while(|line| !line.starts_with("What"));
        lines.find(|line| line[9..].starts_with(name)).unwrap()
    }

    #[test]
    fn a_bare_machine_is_told_what_to_do() {
        let text = bare().report().to_string();
        assert_eq!(line(&text, "ONNX"), "missing  ONNX Runtime  not found; tried:");
        assert!(
            text.contains(&format!("\n{}/a\n{}/b\n", " ".repeat(23), " ".repeat(23))),
            "{text}"
        );
        assert!(line(&text, "OpenCV").starts_with("missing  OpenCV        built without it"));
        assert!(line(&text, "compositor").starts_with("note     compositor    scalar"));
        assert_eq!(line(&text, "CUDA"), "note     CUDA driver   none, not needed on the CPU");
        let advice = text.split_once("\nWhat to do\n").unwrap().1;
        for (start, words) in [
            ("  cores: ", "container's CPU limit"),
            ("  ONNX Runtime: ", "scripts/test --setup-only"),
            ("  ONNX Runtime: ", "ORT_DYLIB_PATH"),
            ("  OpenCV: ", "libopencv-dev"),
            ("  ffmpeg: ", "apt-get install ffmpeg"),
        ] {
            let line = advice.lines().find(|line| line.starts_with(start)).unwrap();
            assert!(line.contains(words), "{line}");
        }
        assert_eq!(advice.lines().count(), 4);
    }

    #[test]
    fn an_equipped_machine_has_nothing_to_do() {
        let text = equipped().report().to_string();
        assert!(text.ends_with("\n\nNothing to do.\n"), "{text}");
        assert!(!text.contains("missing"), "{text}");
        assert_eq!(line(&text, "cpu"), "ok       cpu           Some CPU: avx2 fma");
        assert_eq!(line(&text, "memory"), "ok       memory        2.0 GiB");
        assert_eq!(line(&text, "CUDA"), "ok       CUDA driver   580.95.05, /lib/libcuda.so.1");
        assert!(
            line(&text, "GPUs").contains("GPU 0: NVIDIA H200, GPU 1: NVIDIA H200; this version")
        );
        assert!(line(&text, "TensorRT").ends_with("; /lib/libnvinfer.so.10"));
        assert_eq!(line(&text, "ffmpeg"), "ok       ffmpeg        5.1.6-0+deb12u1");
    }

    #[test]
    fn a_driver_without_its_library_is_a_container_without_gpus() {
        let probe = Probe { libcuda: None, ..equipped() };
        let text = probe.report().to_string();
        assert!(line(&text, "CUDA").contains("has 580.95.05, but there is no libcuda.so.1"));
        assert!(
            text.contains("\n  CUDA driver: In a container, start it with --gpus all"),
            "{text}"
        );
    }

    #[test]
    fn versions_are_read() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\n\
                      GCC version:  gcc version 12.2.0\n";
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release";
        assert_eq!([driver_version(closed), driver_version(open)], ["550.54.15", "580.95.05"]);
        assert_eq!(driver_version("nonsense"), "of unknown version");
        assert_eq!(ffmpeg_version("ffmpeg version n7.1 Copyright"), "n7.1");
        assert_eq!(ffmpeg_version(""), "of unknown version");
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
