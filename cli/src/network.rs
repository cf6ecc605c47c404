//! Where a network is, and the package that it belongs to.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use engine::dataset::Package;

/// The network: the file itself, or that of a package.
pub(crate) fn network_file(named: &Path) -> Result<PathBuf> {
    if !named.is_dir() {
        return Ok(named.to_owned());
    }
    Package::find_model(named)?.with_context(|| {
        format!("{}: holds no network; expected an ONNX file, or a package", named.display())
    })
}

/// The package that a network lies in, as `PACKAGE/checkpoint/model_best.onnx` does.
pub(crate) fn package_around(model: &Path) -> Option<PathBuf> {
    let model = std::path::absolute(model).ok()?;
    let folders = model.ancestors().skip(1).take(2);
    let is_package = |folder: &&Path| folder.join("cache/crop_rectangles.json").is_file();
    folders.into_iter().find(is_package).map(Path::to_owned)
}
