//! Ctrl-C.

use std::sync::OnceLock;

use crate::output::note;
use engine::pipeline::CancelToken;

/// A token that the first Ctrl-C cancels; the second one ends the program at once.
pub(crate) fn token() -> &'static CancelToken {
    static TOKEN: OnceLock<CancelToken> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let token = CancelToken::new();
        let cancelled = token.clone();
        let installed = ctrlc::set_handler(move || {
            if cancelled.is_cancelled() {
                std::process::exit(i32::from(crate::INTERRUPTED));
            }
            cancelled.cancel();
            note!("\ninterrupted: finishing what is under way (Ctrl-C again to stop at once)");
        });
        if let Err(error) = installed {
            note!("warning: Ctrl-C will stop at once, its handler cannot be installed: {error}");
        }
        token
    })
}
