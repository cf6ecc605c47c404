//! Ctrl-C, and what ends programs that nobody sits in front of.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::{fs, io, thread};

use engine::pipeline::CancelToken;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use crate::output::note;

/// A token that the first Ctrl-C cancels; the second one ends the program at once.
pub(crate) fn token() -> &'static CancelToken {
    static TOKEN: OnceLock<CancelToken> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let token = CancelToken::new();
        if let Err(error) = listen(token.clone()) {
            note!("warning: Ctrl-C will stop at once, nobody can listen for it: {error}");
        }
        token
    })
}

fn listen(cancelled: CancelToken) -> io::Result<()> {
    let mut wanted = vec![SIGINT, SIGTERM];
    // nohup has it ignored, which should stay so.
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted)?;
    let listening = move || {
        for signal in signals.forever() {
            if cancelled.is_cancelled() {
                // Without destructors: those of a library may wait for threads that are at work.
                low_level::exit(128 + signal);
            }
            cancelled.cancel();
            note!("\ninterrupted: finishing what is under way (Ctrl-C again to stop at once)");
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listening)?;
    Ok(())
}

/// Has a file that grows beyond what the system allows fail to be written, instead of ending the program
/// with a signal.
pub(crate) fn survive_size_limits() {
    // Where that cannot be had, it ends as any program does.
    _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Whether whoever started the program wants it not to hear of a signal.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
