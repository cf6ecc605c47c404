//! A little network for lanes, and children of this test process.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use std::process::{Command, Output};

use engine::cuda::{Bindings, Context, CudaError, Floats, Lane, PinnedKind, Staging};
use engine_doubles::Cuda;

/// Room for a batch in these tests.
pub(crate) const ROOM: Floats = Floats { inputs: [600, 40], output: 300 };

/// What the network makes of its inputs: output i is image i + 2 audio (i mod 40).
pub(crate) fn expected(host: &[Vec<f32>; 2], len: usize) -> Vec<f32> {
    let [image, audio] = host;
    (0..len).map(|i| image[i] + 2.0 * audio[i % 40]).collect()
}

/// Queues the network.
pub(crate) fn compute(cuda: Cuda, at: &Bindings<'_>) -> Result<(), CudaError> {
    let [image, audio] = at.inputs;
    let reads = [(image, ROOM.inputs[0]), (audio, ROOM.inputs[1])];
    let writes = (at.output, ROOM.output);
    let launched = cuda.launch(at.stream.raw(), &reads, writes, |reads, output| {
        for (i, value) in output.iter_mut().enumerate() {
            *value = reads[0][i] + 2.0 * reads[1][i % 40];
        }
    });
    launched.map_err(|code| CudaError::Call {
        attempt: "launching the network",
        name: format!("{code}"),
        description: "the driver refused".to_owned(),
    })
}

/// A lane that keeps nothing to compute with.
pub(crate) fn lane(context: &Context) -> Result<Lane<()>, CudaError> {
    Lane::new(context, ROOM, |_| Ok(()))
}

/// Inputs that differ with `seed`, in host buffers, and beside them.
pub(crate) fn batch(context: &Context, seed: usize) -> Result<(Staging, [Vec<f32>; 2]), CudaError> {
    let mut host = Staging::zeroed(context, ROOM, PinnedKind::Cached)?;
    let mut inputs = [Vec::new(), Vec::new()];
    for (which, (buffer, copy)) in host.inputs.iter_mut().zip(&mut inputs).enumerate() {
        for (i, value) in buffer.iter_mut().enumerate() {
            *value = (i * (which + 3) + 1000 * seed) as f32;
        }
        copy.extend_from_slice(buffer);
    }
    Ok((host, inputs))
}

/// Whether this process is the one that [`child`] started.
pub(crate) fn is_child() -> bool {
    std::env::var_os("CUDA_TEST_CHILD").is_some()
}

/// Runs one test of this binary in a process of its own.
pub(crate) fn child(test: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("CUDA_TEST_CHILD", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}
