//! How many threads can work at one time.

use std::num::NonZero;

/// CPU cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
