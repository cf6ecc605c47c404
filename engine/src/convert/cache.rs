//! Engines that nobody named: made of an ONNX file when it is first run by TensorRT, and kept.

use std::path::{Path, PathBuf};

use engine_sys::Flavour;

use super::{EngineOptions, Surroundings};
use crate::batch::BatchRange;
use crate::file::FileHash;
use crate::onnx::precision::Precision;

/// How such engines are built.
///
/// `largest_batch` is the largest that will be asked for. Up to 16 it makes no difference, so that a
/// change of `--batch` builds nothing again.
pub fn options(precision: Precision, largest_batch: usize) -> EngineOptions {
    let usual = BatchRange::default();
    let larger = BatchRange::new(1, largest_batch, largest_batch);
    let larger = larger.filter(|range| range.max() > usual.max());
    EngineOptions {
        precision,
        batch: larger.unwrap_or(usual),
        workspace: None,
        version_compatible: false,
        hardware_compatible: false,
    }
}

/// Where in `folder` the engine of a model is kept: a name that differs wherever the engine does.
pub fn path(
    folder: &Path,
    model: &FileHash,
    options: &EngineOptions,
    there: &Surroundings,
) -> PathBuf {
    let Surroundings { flavour, library, gpu } = there;
    let [min, opt, max] = options.batch.into();
    let gpu = match flavour {
        // Finished for the GPU when they are loaded.
        Flavour::Rtx => "any".to_owned(),
        _ => {
            let (major, minor) = gpu.compute_capability;
            format!("{}-sm{major}{minor}", slug(&gpu.name))
        }
    };
    let precision = options.precision;
    folder.join(format!(
        "{}-{flavour}-{library}-{gpu}-{precision}-{min}-{opt}-{max}.engine",
        model.short()
    ))
}

/// A name in lower-case letters, digits and single dashes.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::super::Gpu;
    use super::*;

    #[test]
    fn another_engine_has_another_name() {
        let model = FileHash::of(b"model");
        let l4 = Gpu { name: "NVIDIA L4".into(), compute_capability: (8, 9) };
        let there =
            Surroundings { flavour: Flavour::V10, library: "10.16.1.11".parse().unwrap(), gpu: l4 };
        let name = |model: &FileHash, options: &EngineOptions, there: &Surroundings| {
            path(Path::new("engines"), model, options, there)
        };
        let usual = options(Precision::Fp32, 4);
        let expected =
            format!("engines/{}-10-10.16.1.11-nvidia-l4-sm89-fp32-1-4-16.engine", model.short());
        assert_eq!(name(&model, &usual, &there), Path::new(&expected));
        assert_eq!(options(Precision::Fp32, 16), usual);

        let rtx = Surroundings { flavour: Flavour::Rtx, ..there.clone() };
        let mut others = vec![
            name(&FileHash::of(b"other"), &usual, &there),
            name(&model, &options(Precision::Fp16, 4), &there),
            name(&model, &options(Precision::Fp32, 24), &there),
            name(&model, &usual, &rtx),
            name(
                &model,
                &usual,
                &Surroundings { library: "10.9".parse().unwrap(), ..there.clone() },
            ),
        ];
        let gpu = Gpu { name: "NVIDIA L40S".into(), compute_capability: (8, 9) };
        others.push(name(&model, &usual, &Surroundings { gpu, ..there.clone() }));
        others.push(name(&model, &usual, &there));
        others.sort();
        others.dedup();
        assert_eq!(others.len(), 7);
    }
}
