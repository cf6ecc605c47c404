//! Where things are kept that can be made again.

use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/talking-head-engine`, else `~/.cache/talking-head-engine`; `None` where neither
/// is known.
pub fn cache_folder() -> Option<PathBuf> {
    let from_home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(from_home)
        .map(|cache| cache.join("talking-head-engine"))
}
