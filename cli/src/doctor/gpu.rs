//! The GPUs: asked of the driver, in builds without CUDA of nvidia-smi.

use super::report::Finding;

/// The driver's library.
pub(super) const LIBCUDA: &str = "libcuda.so.1";

/// The GPUs of this machine, before anything is said about them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gpus {
    /// A description of each.
    Listed(Vec<String>),
    /// There are none that could be used.
    None {
        /// Why, in a few words.
        short: &'static str,
        /// Why, in the words of whoever was asked.
        why: String,
        /// What to do about it on a machine that has a driver.
        advice: Option<&'static str>,
    },
}

impl Gpus {
    /// Why nothing can run on a GPU; `None` where it can.
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        match self {
            Self::Listed(_) => None,
            Self::None { short, .. } => Some(short),
        }
    }

    /// `has_driver` says whether the driver's library was found.
    pub(super) fn finding(&self, has_driver: bool) -> Finding {
        match self {
            Self::Listed(gpus) if cfg!(feature = "cuda") => Finding::ok("GPUs", gpus.join("\n")),
            Self::Listed(gpus) => {
                let text = format!("{}; this program does not use them", gpus.join(", "));
                Finding::note("GPUs", text).advise("Build it with the feature \"cuda\".")
            }
            Self::None { why, advice: Some(advice), .. } if has_driver => {
                Finding::missing("GPUs", why.clone()).advise(*advice)
            }
            Self::None { why, .. } => Finding::note("GPUs", why.clone()),
        }
    }
}

#[cfg(feature = "cuda")]
mod asked {
    use engine::cuda::{CudaError, DeviceInfo, devices};

    use super::Gpus;

    impl Gpus {
        /// What the driver lists.
        pub(in crate::doctor) fn probe() -> Self {
            match devices() {
                Ok(devices) => Self::Listed(devices.iter().map(describe).collect()),
                Err(error) => Self::none(&error),
            }
        }

        fn none(error: &CudaError) -> Self {
            let (short, advice) = match error {
                CudaError::NoDriver { .. } => (
                    "no NVIDIA driver",
                    "Install NVIDIA's driver again: its library and what the kernel has loaded must \
                     be of one version. In a container, start it with --gpus all.",
                ),
                CudaError::OldDriver { .. } => {
                    ("the NVIDIA driver is too old", "Install a newer NVIDIA driver.")
                }
                CudaError::NoDevice => (
                    "no GPU",
                    "In a container, start it with --gpus all (NVIDIA Container Toolkit). \
                     CUDA_VISIBLE_DEVICES may hide GPUs too.",
                ),
                _ => ("the NVIDIA driver fails", "Look at what nvidia-smi and dmesg say."),
            };
            Self::None { short, why: error.to_string(), advice: Some(advice) }
        }
    }

    fn describe(device: &DeviceInfo) -> String {
        let DeviceInfo { ordinal, name, compute_capability, memory, driver } = device;
        format!(
            "GPU {ordinal}: {name}, compute capability {}.{}, {:.1} GiB; the driver knows CUDA up \
             to {}.{}",
            compute_capability.0,
            compute_capability.1,
            *memory as f64 / f64::from(1 << 30),
            driver.0,
            driver.1,
        )
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn devices_are_described() {
            let device = DeviceInfo {
                ordinal: 1,
                name: "NVIDIA H200".into(),
                compute_capability: (9, 0),
                memory: 150 << 30,
                driver: (13, 0),
            };
            let text = "GPU 1: NVIDIA H200, compute capability 9.0, 150.0 GiB; the driver knows \
                        CUDA up to 13.0";
            assert_eq!(describe(&device), text);
        }

        #[test]
        fn a_driver_that_is_too_old_is_said_to_be() {
            let gpus = Gpus::none(&CudaError::OldDriver { found: (12, 4), needed: (12, 8) });
            assert_eq!(gpus.obstacle(), Some("the NVIDIA driver is too old"));
            let text = super::super::super::report::Report(vec![gpus.finding(true)]).to_string();
            let line = "missing  GPUs  the NVIDIA driver knows CUDA 12.4; the engine needs 12.8 \
                        (driver 570) or newer\n";
            assert!(text.starts_with(line), "{text}");
            assert!(text.contains("\n  GPUs: Install a newer NVIDIA driver."), "{text}");
        }
    }
}

#[cfg(not(feature = "cuda"))]
mod asked {
    use super::Gpus;
    use crate::doctor::probe::Tool;

    impl Gpus {
        /// What nvidia-smi lists.
        pub(in crate::doctor) fn probe() -> Self {
            Self::listed_by(Tool::run("nvidia-smi", &["-L"]))
        }

        fn listed_by(nvidia_smi: Tool) -> Self {
            let none = |short, why: String| Self::None { short, why, advice: None };
            match nvidia_smi {
                Tool::Said(text) => match names(&text) {
                    gpus if gpus.is_empty() => none("no GPU", "nvidia-smi lists none".into()),
                    gpus => Self::Listed(gpus),
                },
                Tool::Failed(why) => none("no GPU", format!("nvidia-smi failed: {why}")),
                Tool::Missing => none("no GPU", "no nvidia-smi, so no NVIDIA GPU is set up".into()),
            }
        }
    }

    /// The GPUs that `nvidia-smi -L` lists, without their serial numbers.
    fn names(text: &str) -> Vec<String> {
        let gpus = text.lines().filter(|line| line.starts_with("GPU "));
        gpus.map(|line| line.split(" (UUID").next().unwrap_or(line).to_owned()).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn gpus_are_listed_without_their_serial_numbers() {
            let said = "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA L4 (UUID: GPU-2)\n";
            let gpus = Gpus::listed_by(Tool::Said(said.into()));
            let names = ["GPU 0: NVIDIA H200", "GPU 1: NVIDIA L4"].map(str::to_owned);
            assert_eq!(gpus, Gpus::Listed(names.into()));
            let none = Gpus::listed_by(Tool::Failed("no communication".into()));
            assert_eq!(none.obstacle(), Some("no GPU"));
            assert_eq!(Gpus::listed_by(Tool::Said("\n".into())).obstacle(), Some("no GPU"));
        }
    }
}
