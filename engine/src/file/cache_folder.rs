//! Where things are kept that can be made again.

use std::path::PathBuf;

/// `$XDG_CACHE_HOME/talking-head-engine`, else `~/.cache/talking-head-engine`; `None` where neither
/// is an absolute path.
pub fn cache_folder() -> Option<PathBuf> {
    let folder =
        |name| Some(PathBuf::from(std::env::var_os(name)?)).filter(|path| path.is_absolute());
    folder("XDG_CACHE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".cache")))
        .map(|cache| cache.join("talking-head-engine"))
}
