//! The processor: how many threads can work at one time, and what it is.

use std::num::NonZero;

/// CPU cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The processor's own name, as Linux gives it; empty where it does not say.
pub fn cpu_name() -> String {
    name_in(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

fn name_in(cpuinfo: &str) -> String {
    let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let name = lines.find(|(key, _)| key.trim() == "model name");
    name.map_or_else(String::new, |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_that_say_their_name_have_one() {
        let x86 = "processor\t: 0\nmodel name\t: AMD EPYC 9554\nmodel name\t: other\n";
        assert_eq!(name_in(x86), "AMD EPYC 9554");
        assert_eq!(name_in("processor\t: 0\nFeatures\t: fp asimd\n"), "");
    }
}
