//! Compiles the stand-ins to shared objects, which tests load as they would NVIDIA's.

#[path = "build/control.rs"]
mod control;
#[path = "build/cuda.rs"]
mod cuda;
#[path = "build/onnxruntime.rs"]
mod onnxruntime;
#[path = "build/shared_object.rs"]
mod shared_object;
#[path = "build/stubs.rs"]
mod stubs;
#[path = "build/tensorrt.rs"]
mod tensorrt;

fn main() {
    control::build();
    cuda::build();
    onnxruntime::build();
    tensorrt::build();
}
