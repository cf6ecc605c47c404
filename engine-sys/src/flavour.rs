//! The libraries that go by the name of TensorRT, and their versions.

use std::fmt;
use std::str::FromStr;

/// What to do about a flavour that a program was built without.
pub const HOW_TO_BUILD_IN: &str = "run scripts/setup, or set TENSORRT_INCLUDE_DIR to a folder with \
                                   its headers, and build again with the feature \"tensorrt\"";

/// One of the incompatible lines of TensorRT. Each has headers and a shim of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flavour {
    /// TensorRT for RTX.
    Rtx,
    /// TensorRT 11.
    V11,
    /// TensorRT 10.
    V10,
}

impl Flavour {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 3] = [Self::Rtx, Self::V11, Self::V10];

    /// File name of the library that builds and runs engines, as the dynamic loader knows it.
    pub const fn runtime_library(self) -> &'static str {
        match self {
            Self::Rtx => "libtensorrt_rtx.so.1",
            Self::V11 => "libnvinfer.so.11",
            Self::V10 => "libnvinfer.so.10",
        }
    }

    /// File name of the library that reads ONNX models.
    pub const fn parser_library(self) -> &'static str {
        match self {
            Self::Rtx => "libtensorrt_onnxparser_rtx.so.1",
            Self::V11 => "libnvonnxparser.so.11",
            Self::V10 => "libnvonnxparser.so.10",
        }
    }

    /// File name of the small library that runs version-compatible engines and builds none.
    pub const fn dispatch_library(self) -> Option<&'static str> {
        match self {
            Self::Rtx => None,
            Self::V11 => Some("libnvinfer_dispatch.so.11"),
            Self::V10 => Some("libnvinfer_dispatch.so.10"),
        }
    }

    /// The major version that its library must report.
    pub const fn major(self) -> u32 {
        match self {
            Self::Rtx => 1,
            Self::V11 => 11,
            Self::V10 => 10,
        }
    }

    /// Version of the headers that this program's shim was compiled against; `None` where it has no
    /// shim for the flavour.
    pub fn headers(self) -> Option<Version> {
        #[cfg(feature = "tensorrt")]
        {
            let version = Version::from(crate::ffi::bridge::header_version(self.raw()));
            (version != Version::default()).then_some(version)
        }
        #[cfg(not(feature = "tensorrt"))]
        None
    }

    /// The shim's number for it.
    #[cfg(feature = "tensorrt")]
    pub(crate) const fn raw(self) -> u8 {
        match self {
            Self::Rtx => 1,
            Self::V11 => 11,
            Self::V10 => 10,
        }
    }

    /// What NVIDIA calls it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rtx => "TensorRT-RTX",
            Self::V11 => "TensorRT 11",
            Self::V10 => "TensorRT 10",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rtx => "rtx",
            Self::V11 => "11",
            Self::V10 => "10",
        })
    }
}

/// A name that is no [`Flavour`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown TensorRT flavour {found:?}; expected rtx, 11 or 10")]
pub struct UnknownFlavour {
    /// The name.
    pub found: String,
}

impl FromStr for Flavour {
    type Err = UnknownFlavour;
    fn from_str(text: &str) -> Result<Self, UnknownFlavour> {
        let named = Self::ALL.into_iter().find(|flavour| flavour.to_string() == text);
        named.ok_or_else(|| UnknownFlavour { found: text.to_owned() })
    }
}

/// Version of a TensorRT library or of its headers; orders as versions do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// Changes when interfaces do.
    pub major: u32,
    /// Changes when interfaces grow.
    pub minor: u32,
    /// Changes with corrections.
    pub patch: u32,
    /// Changes with every release of the library; 0 where unknown.
    pub build: u32,
}

#[cfg(feature = "tensorrt")]
impl From<crate::ffi::bridge::Version> for Version {
    fn from(version: crate::ffi::bridge::Version) -> Self {
        let crate::ffi::bridge::Version { major, minor, patch, build } = version;
        Self { major, minor, patch, build }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch, build } = self;
        write!(f, "{major}.{minor}.{patch}")?;
        if *build == 0 { Ok(()) } else { write!(f, ".{build}") }
    }
}

/// Text that is no [`Version`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no version; expected two to four numbers such as 10.16.1.11")]
pub struct BadVersion {
    /// The text.
    pub found: String,
}

impl FromStr for Version {
    type Err = BadVersion;
    /// Two to four numbers with dots between them; those that are left out are 0.
    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion { found: text.to_owned() };
        let number = |part: &str| {
            // `parse` takes a sign as well.
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits)
        };
        let parts = text.split('.').map(number).collect::<Option<Vec<u32>>>().ok_or_else(bad)?;
        let (major, minor, patch, build) = match parts[..] {
            [major, minor] => (major, minor, 0, 0),
            [major, minor, patch] => (major, minor, patch, 0),
            [major, minor, patch, build] => (major, minor, patch, build),
            _ => return Err(bad()),
        };
        Ok(Self { major, minor, patch, build })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flavour_reads_back_its_own_name() {
        for flavour in Flavour::ALL {
            assert_eq!(flavour.to_string().parse(), Ok(flavour));
        }
        assert_eq!(format!("[{:<4}]", Flavour::V11), "[11  ]");
        for text in ["", "RTX", "12", "10.16", " 10"] {
            let error = text.parse::<Flavour>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("rtx, 11 or 10"));
        }
    }

    #[test]
    fn every_file_name_ends_in_the_major_version() {
        for flavour in Flavour::ALL {
            let names = [flavour.runtime_library(), flavour.parser_library()];
            for name in names.into_iter().chain(flavour.dispatch_library()) {
                assert!(name.ends_with(&format!(".so.{}", flavour.major())), "{name}");
            }
        }
    }

    #[test]
    fn versions_read_print_and_order() {
        let version = |text: &str| text.parse::<Version>();
        let full = Version { major: 10, minor: 16, patch: 1, build: 11 };
        assert_eq!(version("10.16.1.11"), Ok(full));
        assert_eq!(full.to_string(), "10.16.1.11");
        assert_eq!(version("1.7.1").map(|v| v.to_string()), Ok("1.7.1".to_owned()));
        assert_eq!(version("11.4").map(|v| v.to_string()), Ok("11.4.0".to_owned()));
        let parsed = ["10.9", "10.16", "10.16.1.11", "11.0"].map(|text| version(text).unwrap());
        assert!(parsed.is_sorted(), "{parsed:?}");
        for text in ["", "10", "10.", "10.+1", "10.x", "1.2.3.4.5", "10.99999999999", "-1.0"] {
            let error = version(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?} is no version")), "{error}");
        }
    }
}
