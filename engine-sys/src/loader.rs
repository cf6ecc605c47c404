//! Where the system keeps its shared libraries.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the dynamic loader looks, in its order.
#[derive(Debug, Default)]
pub struct Loader {
    /// `LD_LIBRARY_PATH`.
    pub(crate) first: Vec<PathBuf>,
    /// What `ldconfig -p` prints.
    pub(crate) cache: String,
    /// Folders that are searched without being listed, or that drivers are put into.
    pub(crate) last: Vec<PathBuf>,
}

impl Loader {
    /// The places that hold for this process. Asks `ldconfig` for its cache.
    pub fn of_this_process() -> Self {
        let first = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        // Not on the PATH of users other than root.
        let cache = ["ldconfig", "/sbin/ldconfig"].iter().find_map(|program| {
            let answer = Command::new(program).arg("-p").stdin(Stdio::null()).output().ok()?;
            let text = String::from_utf8_lossy(&answer.stdout).into_owned();
            answer.status.success().then_some(text)
        });
        let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        let last = [&multiarch, "/usr/lib64", "/usr/lib", "/usr/local/lib"];
        let drivers = ["/usr/local/nvidia/lib64", "/usr/local/cuda/lib64", "/usr/lib/wsl/lib"];
        Self {
            first: std::env::split_paths(&first).filter(|p| !p.as_os_str().is_empty()).collect(),
            cache: cache.unwrap_or_default(),
            last: last.into_iter().chain(drivers).map(PathBuf::from).collect(),
        }
    }

    /// The file that the loader would take for a library of this name, or that a driver brought.
    pub fn find(&self, library: &str) -> Option<PathBuf> {
        let within = |folders: &[PathBuf]| {
            folders.iter().map(|folder| folder.join(library)).find(|path| path.exists())
        };
        within(&self.first)
            .or_else(|| cached(&self.cache, library).map(Path::to_owned))
            .or_else(|| within(&self.last))
    }
}

/// The path of a library in the output of `ldconfig -p`, for this processor.
fn cached<'a>(cache: &'a str, library: &str) -> Option<&'a Path> {
    let arch = if cfg!(target_arch = "aarch64") { "AArch64" } else { "x86-64" };
    cache.lines().find_map(|line| {
        let (entry, path) = line.split_once(" => ")?;
        let (name, kind) = entry.trim().split_once(' ')?;
        (name == library && kind.contains(arch)).then_some(Path::new(path))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn libraries_are_found_in_the_order_of_the_loader() {
        let dir = tempfile::tempdir().unwrap();
        let [first, last] = ["first", "last"].map(|name| dir.path().join(name));
        for (folder, names) in [(&first, &["liba.so"][..]), (&last, &["liba.so", "libc.so"])] {
            fs::create_dir(folder).unwrap();
            names.iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
        }
        let arch = if cfg!(target_arch = "aarch64") { "AArch64" } else { "x86-64" };
        let cache = format!(
            "3 libs found in cache `/etc/ld.so.cache'\n\tliba.so (libc6,{arch}) => /cache/liba.so\n\
             \tlibb.so (libc6) => /32/libb.so\n\tlibb.so (libc6,{arch}) => /cache/libb.so\n"
        );
        let loader = Loader { first: vec![first.clone()], cache, last: vec![last.clone()] };
        assert_eq!(loader.find("liba.so"), Some(first.join("liba.so")));
        assert_eq!(loader.find("libb.so"), Some("/cache/libb.so".into()));
        assert_eq!(loader.find("libc.so"), Some(last.join("libc.so")));
        assert_eq!(loader.find("lib"), None);
    }
}
