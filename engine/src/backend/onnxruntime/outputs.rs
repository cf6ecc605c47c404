//! Where predictions land: memory that the runtime writes by itself, and that is used again.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use ort::memory::Allocator;
use ort::value::Tensor;

use crate::batch::PredictionMemory;

/// Output tensors between two batches.
type Idle = Mutex<Vec<Tensor<f32>>>;

/// The output tensors of a session, in host memory.
#[derive(Default)]
pub(super) struct Outputs {
    allocator: Allocator,
    idle: Arc<Idle>,
}

impl Outputs {
    /// An idle tensor of that shape, else a new one. Idle ones of other shapes are given up: they
    /// are of a batch size that is no longer used.
    pub(super) fn take(&self, shape: [usize; 4]) -> ort::Result<Tensor<f32>> {
        let fits = |tensor: &Tensor<f32>| {
            tensor.shape().iter().copied().eq(shape.iter().map(|&size| size as i64))
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(fits);
        match idle.pop() {
            Some(tensor) => Ok(tensor),
            None => Tensor::new(&self.allocator, shape),
        }
    }

    /// Predictions in a tensor that comes back when they are dropped.
    pub(super) fn lend(&self, tensor: Tensor<f32>) -> Prediction {
        Prediction { tensor: Some(tensor), home: Arc::downgrade(&self.idle) }
    }
}

/// The predictions of a batch.
pub(super) struct Prediction {
    /// There until it is dropped.
    tensor: Option<Tensor<f32>>,
    home: Weak<Idle>,
}

impl PredictionMemory for Prediction {
    fn floats(&self) -> &[f32] {
        self.tensor.as_ref().map_or(&[], |tensor| tensor.extract_tensor().1)
    }
}

impl Drop for Prediction {
    fn drop(&mut self) {
        if let (Some(tensor), Some(idle)) = (self.tensor.take(), self.home.upgrade()) {
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(tensor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::environment;
    use super::*;
    use crate::backend::find_onnxruntime;

    #[test]
    fn memory_is_used_again_once_nobody_reads_it() {
        // Tensors need the library, though no model.
        match find_onnxruntime(None) {
            Ok(library) => drop(environment(&library).unwrap()),
            Err(error) => return eprintln!("SKIPPED: {error}; run scripts/setup"),
        }
        let outputs = Outputs::default();
        let lend = |frames| outputs.lend(outputs.take([frames, 3, 8, 8]).unwrap());
        let idle = || outputs.idle.lock().unwrap().len();

        let (first, second) = (lend(2), lend(2));
        assert_eq!(first.floats().len(), 2 * 3 * 8 * 8);
        let [at_first, at_second] = [&first, &second].map(|p| p.floats().as_ptr());
        assert_ne!(at_first, at_second);
        drop(first);
        assert_eq!(idle(), 1);
        let third = lend(2);
        assert_eq!(third.floats().as_ptr(), at_first);
        assert_eq!(second.floats().as_ptr(), at_second);
        drop((second, third));
        assert_eq!(idle(), 2);
        let other = lend(1);
        assert_eq!(idle(), 0, "tensors of another batch size are given up");

        drop(outputs);
        assert_eq!(other.floats().len(), 3 * 8 * 8, "predictions outlive the backend");
    }
}
