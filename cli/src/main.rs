//! `engine-cli`: render, benchmark and inspect talking-head avatars.

mod args;
mod audio;
mod backend;
mod bench;
mod build_progress;
mod compare;
#[cfg(feature = "tensorrt")]
mod convert;
#[cfg(not(feature = "tensorrt"))]
#[path = "convert_absent.rs"]
mod convert;
mod doctor;
mod inspect;
mod interrupt;
mod machine;
mod network;
mod output;
mod outputs;
mod profile;
mod progress;
mod quantize;
mod render;
mod run_progress;
mod sample;
mod setup;
mod tune;
mod video;

use std::process::ExitCode;

use clap::Parser;
use engine::audio::AudioError;
use engine::quantize::QuantizeError;
use engine::sample::SampleError;
use engine::select::SelectError;
use engine::tune::TuneError;
use engine::verify::VerifyError;

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
    interrupt::survive_size_limits();
    // What people render is nobody else's business.
    engine_sys::switch_telemetry_off();
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Bench(args) => bench::run(args),
        Command::Render(args) => render::run(args),
        Command::ConvertEngine(args) => convert::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Quantize(args) => quantize::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Sample(args) => sample::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Doctor(args) => doctor::run(args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) if was_stopped(&error) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// Whether an error only says that somebody pressed Ctrl-C.
fn was_stopped(error: &anyhow::Error) -> bool {
    #[cfg(feature = "tensorrt")]
    if let Some(engine::convert::ConvertError::Cancelled) = error.downcast_ref() {
        return true;
    }
    error.downcast_ref().is_some_and(SelectError::is_cancelled)
        || matches!(error.downcast_ref(), Some(AudioError::Stopped))
        || matches!(error.downcast_ref(), Some(SampleError::Stopped))
        || matches!(error.downcast_ref(), Some(VerifyError::Cancelled))
        || matches!(error.downcast_ref(), Some(QuantizeError::Cancelled))
        || matches!(error.downcast_ref(), Some(TuneError::Cancelled))
}

/// One line for the error, one for each cause that adds something.
fn report(error: &anyhow::Error) {
    note!("error: {}", printable(&error.to_string()));
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if !said.contains(&text) {
            note!("  cause: {}", printable(&text));
        }
        said = text;
    }
}

/// Names in files may hold line ends, and what a terminal takes for orders.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let order = c.is_control();
            let escaped = order.then(|| c.escape_default());
            let plain = (!order).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
