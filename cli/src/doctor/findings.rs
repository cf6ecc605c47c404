//! What is said about what was found: one finding a line of the report.

use super::gpu::LIBCUDA;
use super::probe::{Probe, Tool};
use super::report::{Finding, Report};
use super::tensorrt::Installed;
use crate::machine::Machine;

impl Probe {
    /// One finding a line of the report.
    pub(super) fn report(&self) -> Report {
        let machine = &self.machine;
        let system = format!("{}, Linux {}, {}", machine.os, machine.kernel, machine.arch);
        let mut findings = vec![
            Finding::ok("engine", format!("version {}", machine.engine_version)),
            Finding::ok("system", system),
            self.processor(),
            self.compositor(),
            self.cores(),
            Finding::ok("memory", format!("{:.1} GiB", machine.memory_mb as f64 / 1024.0)),
            self.onnx_runtime(),
            self.openvino.finding(),
            self.opencv(),
            self.cuda_driver(),
            self.gpus.finding(self.libcuda.is_some()),
        ];
        findings.extend(Installed::findings(&self.tensorrt, self.gpus.obstacle()));
        findings.push(self.nvrtc());
        findings.push(self.ffmpeg());
        Report(findings)
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
                "Run scripts/setup in the repository. Or run pip install onnxruntime \
                 and set ORT_DYLIB_PATH (or --ort-lib) to the libonnxruntime.so in its \
                 onnxruntime/capi folder. Until then only --backend simulated works.",
            ),
        }
    }

    fn nvrtc(&self) -> Finding {
        match &self.nvrtc {
            Ok(path) => Finding::ok("NVRTC", path.display().to_string()),
            Err(_) => {
                let found = "not found: the GPU can composite only where its kernels are compiled";
                let finding = Finding::note("NVRTC", found);
                match self.gpus.obstacle() {
                    None => finding.advise(
                        "For --compositor cuda run scripts/fetch-nvrtc, or install NVIDIA's CUDA \
                         toolkit or its Python package nvidia-cuda-nvrtc.",
                    ),
                    // Without a GPU it would be of no use.
                    Some(_) => finding,
                }
            }
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
        const NAME: &str = "CUDA driver";
        match (&self.libcuda, &self.kernel_driver) {
            (Some(path), Some(version)) => {
                Finding::ok(NAME, format!("{version}, {}", path.display()))
            }
            // Not every kernel says so: in WSL it is the host's that has the driver.
            (Some(path), None) if cfg!(feature = "cuda") && self.gpus.obstacle().is_none() => {
                Finding::ok(NAME, path.display().to_string())
            }
            (Some(path), None) => {
                let text = format!("{}, but the kernel has loaded no driver", path.display());
                Finding::note(NAME, text)
            }
            (None, Some(version)) => {
                let text = format!("the kernel has {version}, but there is no {LIBCUDA}");
                Finding::missing(NAME, text).advise(
                    "In a container, start it with --gpus all (NVIDIA Container Toolkit). \
                     Elsewhere, install the driver's libcuda1 package of the same version.",
                )
            }
            (None, None) => Finding::note(NAME, "none, not needed on the CPU"),
        }
    }

    fn ffmpeg(&self) -> Finding {
        let use_of_it = "It is needed for sound and for video: apt-get install ffmpeg.";
        match &self.ffmpeg {
            Tool::Said(text) => Finding::ok("ffmpeg", ffmpeg_version(text)),
            Tool::Failed(why) => {
                Finding::note("ffmpeg", format!("does not run: {why}")).advise(use_of_it)
            }
            Tool::Missing => Finding::note("ffmpeg", "not on PATH").advise(use_of_it),
        }
    }
}

/// The version in the first line of `ffmpeg -version`.
fn ffmpeg_version(text: &str) -> String {
    let mut words = text.split_whitespace().skip_while(|&word| word != "version").skip(1);
    words.next().unwrap_or("of unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_ffmpeg_is_read() {
        assert_eq!(ffmpeg_version("ffmpeg version n7.1 Copyright"), "n7.1");
        assert_eq!(ffmpeg_version(""), "of unknown version");
    }
}
