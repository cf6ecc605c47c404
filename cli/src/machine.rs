//! The machine that figures were measured on.

use std::fs;

use engine::pipeline::{cores, cpu_name};
use serde::Serialize;

/// CPU features that decide how fast inference and compositing can be, as Linux names them.
const FEATURES: [&str; 20] = [
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512vbmi",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
];

/// What figures depend on and a reader would ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    /// The processor's own name; empty where it does not say.
    pub cpu: String,
    /// `x86_64`, `aarch64`.
    pub arch: &'static str,
    /// Cores this process may use: affinity and container quotas are taken into account.
    pub cores: usize,
    /// Those of [`FEATURES`] that the processor has, in that order.
    pub cpu_features: Vec<String>,
    /// Memory of the whole machine in MiB; 0 where it is unknown.
    pub memory_mb: u64,
    /// Name and version of the distribution.
    pub os: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Version of this program.
    pub engine_version: &'static str,
}

impl Machine {
    /// This machine. What cannot be found out is left empty or 0.
    pub(crate) fn probe() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        Self {
            cpu: cpu_name(),
            arch: std::env::consts::ARCH,
            cores: cores(),
            cpu_features: cpu_features(&cpuinfo),
            memory_mb: kilobytes(&read("/proc/meminfo"), "MemTotal").unwrap_or(0) / 1024,
            os: os_name(&read("/etc/os-release")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            engine_version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The GPUs that the driver lists, where `provider` computes on one; none in builds without CUDA.
#[cfg(feature = "cuda")]
pub(crate) fn gpus(provider: &str) -> Vec<String> {
    if provider == "none" || provider.starts_with("CPU") {
        return Vec::new();
    }
    // That they cannot be listed is no reason to give up figures that there are.
    let devices = engine::cuda::devices().unwrap_or_default();
    devices.into_iter().map(|device| device.name).collect()
}

/// The GPUs that the driver lists, where `provider` computes on one; none in builds without CUDA.
#[cfg(not(feature = "cuda"))]
pub(crate) fn gpus(_provider: &str) -> Vec<String> {
    Vec::new()
}

/// The most memory this process has had resident, in MiB, since it started or since
/// [`reset_peak_rss`]; `None` where the system does not say.
pub(crate) fn peak_rss_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    kilobytes(&status, "VmHWM").map(|kb| kb as f64 / 1024.0)
}

/// Starts [`peak_rss_mb`] again from what is resident now. `false` where the system does not permit
/// it; the peak then still covers the whole process.
pub(crate) fn reset_peak_rss() -> bool {
    // 5 resets the peak and nothing else, see proc_pid_clear_refs(5).
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The value of the first `key: value` or `key=value` line.
fn value<'a>(text: &'a str, separator: char, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(separator)?;
        (name.trim() == key).then_some(value.trim())
    })
}

fn kilobytes(text: &str, key: &str) -> Option<u64> {
    value(text, ':', key)?.strip_suffix("kB")?.trim().parse().ok()
}

fn cpu_features(cpuinfo: &str) -> Vec<String> {
    let flags = value(cpuinfo, ':', "flags").or_else(|| value(cpuinfo, ':', "Features"));
    let has = |name: &&str| flags.unwrap_or_default().split_whitespace().any(|flag| flag == *name);
    FEATURES.iter().filter(|name| has(name)).map(|&name| name.to_owned()).collect()
}

fn os_name(os_release: &str) -> String {
    let name = value(os_release, '=', "PRETTY_NAME").unwrap_or(std::env::consts::OS);
    name.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_x86_and_arm_are_read() {
        let x86 = "processor\t: 0\nmodel name\t: AMD EPYC 9554\nflags\t\t: fpu avx2 avx512_vnni \
                   avx512f avx512fx\n\nprocessor\t: 1\nmodel name\t: other\nflags\t: sve\n";
        assert_eq!(cpu_features(x86), ["avx2", "avx512f", "avx512_vnni"]);
        let arm = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd i8mm bf16\n";
        assert_eq!(cpu_features(arm), ["asimd", "bf16", "i8mm"]);
        assert!(cpu_features("").is_empty());
    }

    #[test]
    fn sizes_and_names_are_read() {
        assert_eq!(kilobytes("VmPeak:\t   9 kB\nVmHWM:\t  2048 kB\n", "VmHWM"), Some(2048));
        assert_eq!(kilobytes("VmHWM:\t2048\n", "VmHWM"), None);
        assert_eq!(kilobytes("", "MemTotal"), None);
        let debian = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(os_name(debian), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(os_name("PRETTY_NAME=Alpine\n"), "Alpine");
    }

    #[test]
    fn this_machine_becomes_json() {
        let machine = Machine::probe();
        assert!(machine.cores >= 1);
        let json = serde_json::to_value(&machine).unwrap();
        let fields = ["cpu", "arch", "cores", "cpu_features", "memory_mb", "os", "kernel"];
        for field in fields.into_iter().chain(["engine_version"]) {
            assert!(!json[field].is_null(), "{field}");
        }
    }

    #[test]
    fn the_peak_covers_what_was_touched_and_can_start_again() {
        if peak_rss_mb().is_none() {
            return;
        }
        // The kernel counts in batches a core, so the figures are a little behind.
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(peak_rss_mb().unwrap() > 60.0);
        drop(block);
        assert!(peak_rss_mb().unwrap() > 60.0);
        if reset_peak_rss() {
            // The allocator gives a block of this size back at once.
            assert!(peak_rss_mb().unwrap() < 60.0);
        }
    }
}
