//! Mel spectrogram -> audio features, on ONNX Runtime.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ort::session::Session;
use ort::value::TensorRef;

use super::{AudioError, Mel, STEP_ROWS, Sound, step_count, step_of_frame, step_start};
use crate::backend::{BatchLimit, OnnxRuntimeOptions, TensorInfo, open_session, tensor_infos};
use crate::dataset::Features;
use crate::onnx::Model;

/// Steps that are computed at once where the encoder takes any number; more are no faster.
const STEPS_AT_ONCE: usize = 16;

/// An audio encoder: f32 `[N, 1, 80, 16]` in, f32 `[N, 512]` or `[N, 512, 1, 1]` out.
#[derive(Debug)]
pub struct Encoder {
    path: PathBuf,
    signature: Signature,
    session: Session,
}

impl Encoder {
    /// Loads the library and the encoder, an ONNX file with one input and one output of any names.
    ///
    /// # Errors
    /// When the library cannot be loaded, the file is not a model, or its input and output are not
    /// the expected ones.
    pub fn open(path: &Path, options: &OnnxRuntimeOptions) -> Result<Self, AudioError> {
        // What the file declares comes first, as the runtime's own words for a file that is cut
        // short or no model are riddles.
        let model = Model::load(path)?;
        let declared = |list: Vec<crate::onnx::TensorInfo>| {
            list.iter().map(TensorInfo::from).collect::<Vec<_>>()
        };
        Signature::check(path, &declared(model.inputs()), &declared(model.outputs()))?;
        let session = open_session(path, options)?;
        let (inputs, outputs) = (tensor_infos(session.inputs()), tensor_infos(session.outputs()));
        let signature = Signature::check(path, &inputs, &outputs)?;
        Ok(Self { path: path.to_owned(), signature, session })
    }

    /// Where the encoder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many steps the encoder takes at once.
    pub fn batch_limit(&self) -> BatchLimit {
        self.signature.batch
    }

    /// The features of `sound`, one row for each of its [`frames`](Sound::frames): the steps' rows
    /// with the first and the last repeated once, and the last as often as frames are left.
    ///
    /// `progress` is called with the steps that are done and how many there are, and may end the
    /// work.
    ///
    /// # Errors
    /// When the runtime fails or gives something other than 512 finite numbers for every step, and
    /// [`AudioError::Stopped`] by `progress`.
    pub fn features(
        &mut self,
        sound: &Sound,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Features, AudioError> {
        const ROW: usize = Features::ROW;
        let steps = step_count(sound.mel().rows());
        let frames = (sound.frames() as usize).max(1);
        // Step i is computed into row i + 1, where it mostly stays.
        let mut rows = vec![0.0; frames.max(steps + 2) * ROW];
        self.encode(sound.mel(), &mut rows[ROW..][..steps * ROW], progress)?;
        rows.copy_within(ROW..2 * ROW, 0);
        for frame in steps + 1..frames {
            let last = (step_of_frame(frame, steps) + 1) * ROW;
            rows.copy_within(last..last + ROW, frame * ROW);
        }
        rows.truncate(frames * ROW);
        Ok(Features::from_rows(rows))
    }

    /// Computes as many steps as `out` has room for.
    fn encode(
        &mut self,
        mel: &Mel,
        out: &mut [f32],
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<(), AudioError> {
        let steps = out.len() / Features::ROW;
        let at_once = match self.signature.batch {
            BatchLimit::Fixed(count) => count,
            _ => STEPS_AT_ONCE.min(steps),
        };
        let mut windows = vec![0.0; at_once * Mel::WINDOW_LEN];
        let mut done = 0;
        for rows in out.chunks_mut(at_once * Features::ROW) {
            let count = rows.len() / Features::ROW;
            for (i, window) in windows.chunks_exact_mut(Mel::WINDOW_LEN).take(count).enumerate() {
                mel.window(step_start(done + i, mel.rows()), window);
            }
            // Where the batch is fixed, what the last one has too many windows of is not read.
            let run = match self.signature.batch {
                BatchLimit::Fixed(_) => at_once,
                _ => count,
            };
            self.run(&windows[..run * Mel::WINDOW_LEN], rows)?;
            if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
                return Err(AudioError::NotFinite {
                    path: self.path.clone(),
                    step: done + at / Features::ROW,
                    column: at % Features::ROW,
                    value: rows[at],
                });
            }
            done += count;
            if progress(done, steps).is_break() {
                return Err(AudioError::Stopped);
            }
        }
        Ok(())
    }

    /// Runs the encoder over whole windows; `rows` takes as many results as it has room for.
    fn run(&mut self, windows: &[f32], rows: &mut [f32]) -> Result<(), AudioError> {
        let Self { path, signature, session } = self;
        let failed =
            |source: ort::Error| AudioError::Run { path: path.clone(), source: source.into() };
        let steps = windows.len() / Mel::WINDOW_LEN;
        let input = TensorRef::from_array_view(([steps, 1, Mel::BANDS, STEP_ROWS], windows))
            .map_err(failed)?;
        let outputs =
            session.run(ort::inputs![signature.input.as_str() => input]).map_err(failed)?;
        let output = &outputs[signature.output.as_str()];
        let (shape, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
        match shape[..] {
            [n, 512] | [n, 512, 1, 1] if usize::try_from(n) == Ok(steps) => {
                rows.copy_from_slice(&values[..rows.len()]);
                Ok(())
            }
            _ => Err(AudioError::OutputShape {
                path: path.clone(),
                output: signature.output.clone(),
                found: shape.to_vec(),
                steps,
            }),
        }
    }
}

/// An encoder's names and batch, checked against what the engine can feed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    input: String,
    output: String,
    batch: BatchLimit,
}

impl Signature {
    fn check(
        path: &Path,
        inputs: &[TensorInfo],
        outputs: &[TensorInfo],
    ) -> Result<Self, AudioError> {
        let refuse = |problem: String| AudioError::Encoder { path: path.to_owned(), problem };
        let only = |list: &[TensorInfo], role: &str, expected: &str| match list {
            [tensor] => Ok(tensor.clone()),
            _ => {
                let names: Vec<String> =
                    list.iter().map(|t| format!("\"{}\" {}", t.name, t.text)).collect();
                let (count, names) = (list.len(), names.join(", "));
                Err(refuse(format!("it has {count} {role}s ({names}); expected one, {expected}")))
            }
        };
        let input = only(inputs, "input", "float32 [N,1,80,16]")?;
        let output = only(outputs, "output", "float32 [N,512]")?;
        let batch = match input.dims[..] {
            [n, 1, 80, 16] if n < 0 => Some(BatchLimit::Any),
            [n @ 1..=1024, 1, 80, 16] => usize::try_from(n).ok().map(BatchLimit::Fixed),
            _ => None,
        };
        let batch = batch.filter(|_| input.float32).ok_or_else(|| {
            refuse(format!(
                "its input \"{}\" is {}; expected float32 [N,1,80,16], a mel window, with any N or \
                 one of 1 to 1024",
                input.name, input.text
            ))
        })?;
        let is = |dim: i64, expected: i64| dim < 0 || dim == expected;
        // Not every exporter says what shape comes out; then the first run tells.
        let fits = match output.dims[..] {
            [] => true,
            [_, width] => is(width, 512),
            [_, width, a, b] => is(width, 512) && is(a, 1) && is(b, 1),
            _ => false,
        };
        if !output.float32 || !fits {
            return Err(refuse(format!(
                "its output \"{}\" is {}; expected float32 [N,512] or [N,512,1,1]",
                output.name, output.text
            )));
        }
        Ok(Self { input: input.name, output: output.name, batch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dims: &[i64]) -> TensorInfo {
        let text = format!("float32 {dims:?}");
        TensorInfo { name: name.into(), float32: true, dims: dims.to_vec(), text }
    }

    fn check(inputs: &[TensorInfo], outputs: &[TensorInfo]) -> Result<Signature, String> {
        Signature::check(Path::new("e.onnx"), inputs, outputs).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_the_model_s_own() {
        for (dims, batch) in [
            ([-1, 1, 80, 16], BatchLimit::Any),
            ([1, 1, 80, 16], BatchLimit::Fixed(1)),
            ([8, 1, 80, 16], BatchLimit::Fixed(8)),
        ] {
            for output in [&[-1, 512][..], &[dims[0], 512, 1, 1], &[-1, -1], &[]] {
                let found = check(&[tensor("mel", &dims)], &[tensor("emb", output)]).unwrap();
                assert_eq!((&*found.input, &*found.output, found.batch), ("mel", "emb", batch));
            }
        }
    }

    /// Names and dimensions.
    type Tensors<'a> = &'a [(&'a str, &'a [i64])];

    #[test]
    fn what_does_not_fit_is_named() {
        let tensors = |list: Tensors<'_>| -> Vec<TensorInfo> {
            list.iter().map(|&(name, dims)| tensor(name, dims)).collect()
        };
        let mel: (&str, &[i64]) = ("mel", &[-1, 1, 80, 16]);
        let emb: (&str, &[i64]) = ("emb", &[-1, 512]);
        let refusals: [(Tensors<'_>, Tensors<'_>, &str); 8] = [
            (&[mel, emb], &[emb], "it has 2 inputs (\"mel\" float32"),
            (&[], &[emb], "it has 0 inputs (); expected one, float32 [N,1,80,16]"),
            (&[mel], &[emb, mel], "it has 2 outputs (\"emb\" float32"),
            (&[("a", &[-1, 80, 16])], &[emb], "its input \"a\" is float32 [-1, 80, 16]"),
            (&[("a", &[-1, 1, 16, 80])], &[emb], "expected float32 [N,1,80,16]"),
            (&[("a", &[0, 1, 80, 16])], &[emb], "1 to 1024"),
            (&[mel], &[("b", &[-1, 256])], "its output \"b\" is float32 [-1, 256]"),
            (&[mel], &[("b", &[-1, 512, 3, 1])], "expected float32 [N,512]"),
        ];
        for (inputs, outputs, expected) in refusals {
            let message = check(&tensors(inputs), &tensors(outputs)).unwrap_err();
            assert!(message.contains(expected) && message.contains("e.onnx"), "{message}");
        }
        let (mut inputs, outputs) = (tensors(&[mel]), tensors(&[emb]));
        inputs[0].float32 = false;
        inputs[0].text = "float64 [N,1,80,16]".to_owned();
        let message = check(&inputs, &outputs).unwrap_err();
        assert!(message.contains("its input \"mel\" is float64"), "{message}");
    }
}
