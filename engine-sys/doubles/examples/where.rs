//! Prints where the stand-ins lie, for scripts: `cuda=FOLDER`, `onnxruntime=FOLDER`, and a line for
//! each flavour of TensorRT that was built.

use engine_doubles::{cuda_dir, onnxruntime_library, tensorrt_dir};
use engine_sys::Flavour;

fn main() {
    println!("cuda={}", cuda_dir().display());
    let onnxruntime = onnxruntime_library();
    println!("onnxruntime={}", onnxruntime.parent().unwrap_or(cuda_dir()).display());
    for flavour in Flavour::ALL {
        if let Some(folder) = tensorrt_dir(flavour) {
            println!("{flavour}={}", folder.display());
        }
    }
}
