//! `engine-cli`: render, benchmark and inspect talking-head avatars.

mod args;
mod backend;
mod bench;
mod doctor;
mod inspect;
mod interrupt;
mod machine;
mod output;
mod progress;
mod render;
mod sample;
mod setup;
#[cfg(feature = "tensorrt")]
mod tensorrt;
#[cfg(not(feature = "tensorrt"))]
#[path = "tensorrt_absent.rs"]
mod tensorrt;

use std::process::ExitCode;

use clap::Parser;
use engine::sample::SampleError;

use args::{Cli, Command};
use output::note;

/// Exit status after Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;

/// How a command that did not fail ended.
enum Outcome {
    Done,
    Interrupted,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Bench(args) => bench::run(args),
        Command::Render(args) => render::run(args),
        Command::Sample(args) => sample::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Doctor(args) => doctor::run(args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) if matches!(error.downcast_ref(), Some(SampleError::Stopped)) => {
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// One line for the error, one for each cause that adds something.
fn report(error: &anyhow::Error) {
    note!("error: {error}");
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if !said.contains(&text) {
            note!("  cause: {text}");
        }
        said = text;
    }
}
