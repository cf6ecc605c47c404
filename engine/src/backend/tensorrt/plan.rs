//! What a deserialized engine must look like.

use std::path::Path;

use engine_sys::{Element, Engine, TensorInfo};

use crate::backend::spec;
use crate::backend::{BackendError, BatchLimit, ModelSpec};
use crate::cuda::Tensors;

/// An engine that can be fed: its sizes, where its tensors are, and the batches it takes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: ModelSpec,
    pub(super) tensors: Tensors,
    /// The smallest batch.
    pub(super) least: usize,
    /// The largest batch.
    pub(super) most: usize,
}

impl Plan {
    /// Checks the tensors of the engine that was read from `path`.
    pub(super) fn check(path: &Path, engine: &Engine) -> Result<Self, BackendError> {
        Self::of(path, engine.tensors())
    }

    fn of(path: &Path, tensors: &[TensorInfo]) -> Result<Self, BackendError> {
        let described = |input: bool| -> Vec<_> {
            tensors.iter().filter(|tensor| tensor.input == input).map(describe).collect()
        };
        let spec = ModelSpec::check(path, &described(true), &described(false))?;
        let position = |name: &str| tensors.iter().position(|tensor| tensor.name == name);
        let refuse = |problem: String| BackendError::Model { path: path.to_owned(), problem };
        let all = [ModelSpec::IMAGE, ModelSpec::AUDIO, ModelSpec::OUTPUT].map(position);
        let [Some(image), Some(audio), Some(output)] = all else {
            return Err(refuse("its tensors changed while they were looked at".to_owned()));
        };
        // Without dynamic dimensions there may be no profile.
        let batch = |tensor: usize, list: fn(&TensorInfo) -> &Vec<i64>| {
            let info = &tensors[tensor];
            let size = list(info).first().or(info.shape.first()).copied().unwrap_or(-1);
            usize::try_from(size).ok().filter(|size| (1..=MOST).contains(size))
        };
        let range = |tensor| Some((batch(tensor, |t| &t.min)?, batch(tensor, |t| &t.max)?));
        let (least, most) = match (range(image), range(audio)) {
            (Some(image), Some(audio)) if image == audio && image.0 <= image.1 => image,
            (image, audio) => {
                let text = |range: Option<(usize, usize)>| match range {
                    Some((min, max)) => format!("{min} to {max}"),
                    None => format!("not within 1 to {MOST}"),
                };
                return Err(refuse(format!(
                    "its batch sizes are {} for \"input\" and {} for \"audio\"; expected the same \
                     range within 1 to {MOST}",
                    text(image),
                    text(audio)
                )));
            }
        };
        let limit = match spec.batch_limit() {
            fixed @ BatchLimit::Fixed(_) => fixed,
            _ => BatchLimit::UpTo(most),
        };
        let tensors = Tensors { inputs: [image, audio], output };
        Ok(Self { spec: spec.with_batch_limit(limit), tensors, least, most })
    }
}

/// The largest batch that a plan may ask memory for.
const MOST: usize = 1024;

fn describe(tensor: &TensorInfo) -> spec::TensorInfo {
    let dims = tensor.shape.clone();
    let words: Vec<String> =
        dims.iter().map(|&dim| if dim < 0 { "N".to_owned() } else { dim.to_string() }).collect();
    let element = match tensor.element {
        Element::Float => "float32".to_owned(),
        Element::Half => "float16".to_owned(),
        Element::Other(value) => format!("of TensorRT type {value}"),
    };
    let text = format!("{element} [{}]", words.join(","));
    let float32 = tensor.element == Element::Float;
    spec::TensorInfo { name: tensor.name.clone(), float32, dims, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(min: i64, max: i64) -> Vec<TensorInfo> {
        let tensor = |name: &str, input: bool, frame: &[i64]| {
            let shape = |batch: i64| [&[batch], frame].concat();
            let of = |batch| if input { shape(batch) } else { Vec::new() };
            TensorInfo {
                name: name.into(),
                input,
                element: Element::Float,
                shape: shape(-1),
                min: of(min),
                opt: of(max),
                max: of(max),
            }
        };
        vec![
            tensor("output", false, &[3, 32, 32]),
            tensor("audio", true, &[32, 16, 16]),
            tensor("input", true, &[6, 32, 32]),
        ]
    }

    fn message(tensors: &[TensorInfo]) -> String {
        Plan::of(Path::new("m.engine"), tensors).unwrap_err().to_string()
    }

    #[test]
    fn takes_batches_and_positions_from_the_engine() {
        let plan = Plan::of(Path::new("m.engine"), &tensors(2, 8)).unwrap();
        assert_eq!((plan.least, plan.most), (2, 8));
        assert_eq!(plan.spec.batch_limit(), BatchLimit::UpTo(8));
        assert_eq!(plan.tensors, Tensors { inputs: [2, 1], output: 0 });
        let mut fixed = tensors(4, 4);
        for tensor in &mut fixed {
            tensor.shape[0] = 4;
            (tensor.min, tensor.max) = (Vec::new(), Vec::new());
        }
        let plan = Plan::of(Path::new("m.engine"), &fixed).unwrap();
        assert_eq!((plan.least, plan.most, plan.spec.batch_limit()), (4, 4, BatchLimit::Fixed(4)));
    }

    #[test]
    fn refuses_what_cannot_be_fed() {
        let mut half = tensors(1, 8);
        half[2].element = Element::Half;
        let text = message(&half);
        assert!(text.contains("m.engine: input \"input\" is float16 [N,6,32,32]"), "{text}");
        let mut apart = tensors(1, 8);
        apart[1].max[0] = 4;
        let text = message(&apart);
        assert!(text.contains("1 to 8 for \"input\" and 1 to 4 for \"audio\""), "{text}");
        let text = message(&tensors(1, 1 << 40));
        assert!(text.contains("not within 1 to 1024"), "{text}");
        let text = message(&tensors(8, 1));
        assert!(text.contains("8 to 1"), "{text}");
    }
}
