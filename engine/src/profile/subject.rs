//! What a profile is of.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ProfileError;
use crate::dataset::Package;
use crate::file::{FileError, FileHash, WholeFile, cache_folder};
use crate::select::Identity;
use crate::threads::{cores, cpu_name};

/// What settings are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Version of the engine.
    pub engine: String,
    /// The network.
    pub network: FileHash,
    /// Its quantized form, where there is one beside it.
    pub quantized: Option<FileHash>,
    /// Everything of the package that decides its frames.
    pub package: FileHash,
    /// The package's own inputs, or derived ones.
    pub inputs: String,
    /// The processor's name.
    pub cpu: String,
    /// Its cores that may be used.
    pub cores: usize,
}

impl Subject {
    /// A network and `package`, on this machine. Reads the package's files.
    ///
    /// # Errors
    /// When the package cannot be read.
    pub fn of(identity: &Identity, package: &Package) -> Result<Self, ProfileError> {
        Ok(Self {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            network: identity.network.clone(),
            quantized: identity.quantized.as_ref().map(|(_, hash)| hash.clone()),
            package: package.fingerprint()?,
            inputs: package.inputs().to_string(),
            cpu: cpu_name(),
            cores: cores(),
        })
    }

    /// What differs in `other`, which is here: what is run, and the machine.
    pub fn differences(&self, other: &Self) -> [Vec<String>; 2] {
        let differ = |what: &str, there: &dyn fmt::Display, here: &dyn fmt::Display| {
            format!("{what} ({there}, here {here})")
        };
        let short = |hash: &Option<FileHash>| {
            hash.as_ref().map_or_else(|| "none".to_owned(), |hash| hash.short().to_owned())
        };
        let mut run = Vec::new();
        if self.network != other.network {
            run.push(differ("the network", &self.network.short(), &other.network.short()));
        }
        if self.quantized != other.quantized {
            let (there, here) = (short(&self.quantized), short(&other.quantized));
            run.push(differ("its quantized form", &there, &here));
        }
        if self.package != other.package {
            run.push(differ("the package", &self.package.short(), &other.package.short()));
        }
        if self.inputs != other.inputs {
            run.push(differ("--inputs", &self.inputs, &other.inputs));
        }
        let mut machine = Vec::new();
        if self.engine != other.engine {
            machine.push(differ("the engine's version", &self.engine, &other.engine));
        }
        if self.cpu != other.cpu {
            machine.push(differ("the processor", &self.cpu, &other.cpu));
        }
        if self.cores != other.cores {
            machine.push(differ("the number of cores", &self.cores, &other.cores));
        }
        [run, machine]
    }

    /// The file in which [`pick`](super::pick) looks for a profile of it, in a folder that is made where
    /// needed.
    ///
    /// # Errors
    /// When no such place is known, or it takes no files.
    pub fn place(&self) -> Result<PathBuf, ProfileError> {
        let path = self.kept(&folder().ok_or(ProfileError::NoFolder)?);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|source| FileError::Create { path: path.clone(), source })?;
        }
        // Tried, and gone again.
        drop(WholeFile::create(&path)?);
        Ok(path)
    }

    /// Where a profile of it is kept.
    pub(super) fn kept(&self, folder: &Path) -> PathBuf {
        // Another version of the engine replaces what was kept.
        let Self { quantized, package, inputs, cpu, cores, .. } = self;
        let quantized = quantized.as_ref().map_or("none", |quantized| &quantized.sha256);
        let text = format!("{quantized}\n{}\n{inputs}\n{cpu}\n{cores}", package.sha256);
        let name = format!("{}.json", FileHash::of(text.as_bytes()).short());
        folder.join(self.network.short()).join(name)
    }
}

/// Where profiles are kept.
pub(super) fn folder() -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join("profiles"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn hash(text: &str) -> FileHash {
        FileHash::of(text.as_bytes())
    }

    pub(in crate::profile) fn subject() -> Subject {
        Subject {
            engine: "0.1.0".into(),
            network: hash("network"),
            quantized: Some(hash("quantized")),
            package: hash("package"),
            inputs: "package".into(),
            cpu: "AMD EPYC".into(),
            cores: 2,
        }
    }

    #[test]
    fn it_is_kept_apart_from_those_of_other_packages_and_machines() {
        let folder = Path::new("profiles");
        let path = subject().kept(folder);
        assert!(path.starts_with(folder.join(hash("network").short())), "{}", path.display());
        let others: [fn(&mut Subject); 6] = [
            |s| s.quantized = None,
            |s| s.network = hash("other"),
            |s| s.package = hash("other"),
            |s| s.inputs = "derived".into(),
            |s| s.cpu.push('2'),
            |s| s.cores = 4,
        ];
        for change in others {
            let mut other = subject();
            change(&mut other);
            assert_ne!(other.kept(folder), path);
        }
        // This replaces it.
        assert_eq!(Subject { engine: "0.2.0".into(), ..subject() }.kept(folder), path);
    }

    #[test]
    fn what_differs_is_named() {
        let [run, machine] = subject().differences(&subject());
        assert_eq!((run.len(), machine.len()), (0, 0));
        let other = Subject { quantized: None, cores: 4, ..subject() };
        let [run, machine] = subject().differences(&other);
        assert_eq!(run, [format!("its quantized form ({}, here none)", hash("quantized").short())]);
        assert_eq!(machine, ["the number of cores (2, here 4)"]);
    }
}
