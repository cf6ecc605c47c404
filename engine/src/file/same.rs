//! Whether two paths mean one file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whether two paths lead to one file, through links too, or will once it is there.
pub fn same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        (Err(_), Err(_)) => resolved(a) == resolved(b),
        _ => false,
    }
}

/// Where a file is, or would be: its folder without links, and its name.
pub fn resolved(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_many_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "").unwrap();
        fs::write(path("b"), "").unwrap();
        fs::create_dir(path("sub")).unwrap();
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        for other in ["a", "link", "hard", "./a", "sub/../a"] {
            assert!(same_file(&path("a"), &path(other)), "{other}");
        }
        assert!(!same_file(&path("a"), &path("b")) && !same_file(&path("a"), &path("new")));
        assert!(same_file(&path("new"), &path("sub/../new")));
        assert!(!same_file(&path("new"), &path("sub/new")));
        assert!(same_file(&path("no/such"), &path("no/such")));
    }
}
