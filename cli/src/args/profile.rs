//! `--profile`.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// Settings that `tune` found.
#[derive(Args)]
pub(crate) struct ProfileArgs {
    /// Settings that `engine-cli tune` found. auto: those that it kept for this network, package and
    /// machine, unless --backend, --provider, --precision, --threads or --streams is given. none: the
    /// defaults. --batch and --workers come before a profile's.
    #[arg(long, value_name = "auto|none|FILE", default_value = "auto")]
    pub(crate) profile: ProfileChoice,
}

/// Which profile is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProfileChoice {
    /// The one that was kept, if there is one.
    Auto,
    /// None.
    None,
    /// The one in this file.
    File(PathBuf),
}

impl FromStr for ProfileChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "none" => Self::None,
            path => Self::File(path.into()),
        })
    }
}
