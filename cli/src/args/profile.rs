//! `--profile`.

use clap::Args;
use engine::profile::ProfileChoice;

/// Settings that `tune` found.
#[derive(Args)]
pub(crate) struct ProfileArgs {
    /// Settings that `engine-cli tune` found. auto: those that it kept for this network, package and
    /// machine, unless --backend, --provider, --precision, --threads or --streams is given, or
    /// --openvino-lib where they run something else. none: the defaults. --batch and --workers come
    /// before a profile's.
    #[arg(long, value_name = "auto|none|FILE", default_value = "auto", value_parser = choice)]
    pub(crate) profile: ProfileChoice,
}

fn choice(text: &str) -> Result<ProfileChoice, String> {
    match text {
        "" => Err("expected auto, none or the name of a file".to_owned()),
        "auto" => Ok(ProfileChoice::Kept),
        "none" => Ok(ProfileChoice::None),
        path => Ok(ProfileChoice::File(path.into())),
    }
}
