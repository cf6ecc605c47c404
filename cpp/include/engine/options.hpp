// How a pipeline is made.
#pragma once

#include <cstdint>
#include <string>

#include "engine/engine.h"
#include "engine/result.hpp"

namespace engine {
inline namespace v0_1 {

// What runs the network.
enum class Backend : std::int32_t {
    // The best that is usable here: TensorRT, ONNX Runtime on a GPU, ONNX Runtime on the CPU. The
    // log says which and why. An engine is for TensorRT only.
    automatic = ENGINE_BACKEND_AUTO,
    // TensorRT on an NVIDIA GPU. Runs engine files; of an ONNX file it makes an engine first, which
    // takes up to minutes, and keeps it in talking-head-engine/engines in $XDG_CACHE_HOME, else in
    // ~/.cache.
    tensorrt = ENGINE_BACKEND_TENSORRT,
    // ONNX Runtime.
    onnxruntime = ENGINE_BACKEND_ONNXRUNTIME,
    // A stand-in for an accelerator: a fixed time per frame, fixed predictions.
    simulated = ENGINE_BACKEND_SIMULATED,
    // OpenVINO on the processor.
    openvino = ENGINE_BACKEND_OPENVINO,
};

// Where ONNX Runtime computes.
enum class Provider : std::int32_t {
    // The processor.
    standard = ENGINE_PROVIDER_DEFAULT,
    cpu = ENGINE_PROVIDER_CPU,
    cuda = ENGINE_PROVIDER_CUDA,
};

// What the network is computed in. TensorRT takes fp32 and fp16 for the engines that it makes,
// OpenVINO fp32, bf16 or fp16 where the processor has it, and int8 for a quantized network, ONNX
// Runtime what the network says. What a backend does not have is refused.
enum class Precision : std::int32_t {
    // fp32, and a quantized network as it is; on a processor what `engine-cli` has found by measuring,
    // where it has (see its --precision). Nothing is measured here.
    automatic = ENGINE_PRECISION_AUTO,
    fp32 = ENGINE_PRECISION_FP32,
    fp16 = ENGINE_PRECISION_FP16,
    bf16 = ENGINE_PRECISION_BF16,
    int8 = ENGINE_PRECISION_INT8,
};

// How the stages follow each other.
enum class Mode : std::int32_t {
    // All at once.
    pipelined = ENGINE_MODE_PIPELINED,
    // One after the other, as in a plain loop; the baseline for speed-ups.
    sequential = ENGINE_MODE_SEQUENTIAL,
};

// Where the network's image inputs come from.
enum class Inputs : std::int32_t {
    // The rois and masked rois that the package stores.
    package = ENGINE_INPUTS_PACKAGE,
    // Both are made from the crops.
    derived = ENGINE_INPUTS_DERIVED,
};

// Where the package's frames are kept.
enum class FrameStore : std::int32_t {
    // In RAM where they fit the budget, else decoded ahead.
    automatic = ENGINE_STORE_AUTO,
    ram = ENGINE_STORE_RAM,
    stream = ENGINE_STORE_STREAM,
};

// What pastes the predictions into the frames. All of them give the same bytes.
enum class Compositor : std::int32_t {
    // The fastest of this CPU, or the GPU that runs the network where that is faster: opening then takes
    // a second to measure both.
    automatic = ENGINE_COMPOSITOR_AUTO,
    // The fastest of this CPU.
    cpu = ENGINE_COMPOSITOR_CPU,
    scalar = ENGINE_COMPOSITOR_SCALAR,
    avx2 = ENGINE_COMPOSITOR_AVX2,
    avx512 = ENGINE_COMPOSITOR_AVX512,
    opencv = ENGINE_COMPOSITOR_OPENCV,
    // The GPU that runs the network; with Backend::tensorrt.
    cuda = ENGINE_COMPOSITOR_CUDA,
};

// How crops are resized.
enum class Interpolation : std::int32_t {
    linear = ENGINE_INTERPOLATION_LINEAR,
    cubic = ENGINE_INTERPOLATION_CUBIC,
};

// How a pipeline is made. Empty paths are the default.
struct Options {
    Backend backend = Backend::automatic;
    // The network: an ONNX file or an engine. Default: what the package names.
    std::string model;
    // Time per frame of the simulated backend, milliseconds, 0 to 60000.
    double simulated_ms = 8.18;
    // The ONNX Runtime library. Default: $ORT_DYLIB_PATH, else .deps/onnxruntime/lib above the
    // program.
    std::string onnxruntime_library;
    Provider provider = Provider::standard;
    // The GPU, 0 to 63.
    std::int32_t device = 0;
    // CPU threads that run the network, at most 1024; 0 is what the profile says, else one a core, and 1
    // on a GPU.
    std::uint32_t threads = 0;
    // Batches that are on the GPU at one time, 1 to 8.
    std::uint32_t lanes = 2;
    // The folder with the TensorRT libraries. Default: the usual places.
    std::string tensorrt_folder;
    // The profile: a file that `engine-cli tune` wrote, or "none". It says what runs the network and how;
    // with a file, none of backend, provider, precision, threads and streams may be given. Default: the
    // one that `engine-cli tune` kept for this network, package and machine, if there is one and none of
    // them is given.
    std::string profile;
    // The OpenVINO library, libopenvino_c.so, or its folder. Default: $OPENVINO_DYLIB_PATH, else
    // .deps/openvino/lib above the program, else the usual places.
    std::string openvino_library;
    // Frames that OpenVINO computes at one time, each with its part of the threads, at most 1024; 0 is
    // what the profile says, else as many as share the threads evenly, 4 at most.
    std::uint32_t streams = 0;
    // Whether TensorRT replays the network as a CUDA graph.
    bool cuda_graphs = true;
    Precision precision = Precision::automatic;
    // Whether an engine file may bring code that runs in this process, as version-compatible ones
    // do: only for engines that you would run as a program.
    bool trust_engine = false;
    Mode mode = Mode::pipelined;
    // Frames per run of the network, at most 256; 0 is what the profile says, else 4.
    std::uint32_t batch = 0;
    // Threads that composite, at most 256; 0 is what the profile says, else the smaller of batch and
    // cores.
    std::uint32_t workers = 0;
    Inputs inputs = Inputs::package;
    FrameStore frame_store = FrameStore::automatic;
    // Bytes that the package's frames may take in RAM.
    std::uint64_t ram_budget = std::uint64_t{1} << 30;
    // Bytes of the GPU's memory that they may take with Compositor::cuda; 0 is a quarter of it.
    std::uint64_t region_budget = 0;
    Compositor compositor = Compositor::automatic;
    Interpolation interpolation = Interpolation::linear;
    // Frames that wait to be pulled before the pipeline does, 1 to 256.
    std::uint32_t queued_frames = 4;
    // Frames that the host may hold at one time, 1 to 256; a pull that waits counts as one.
    std::uint32_t held_frames = 8;
    // Rows that can be pushed ahead of the frames, at least; 1 to 1048576.
    std::uint32_t pushed_rows = 1024;
};

namespace detail {

// The same for C; the paths stay with `options`. An error where the library does not fit the
// headers.
inline Result<engine_options> c_options(const Options& options) {
    engine_options raw{};
    const engine_status status = ENGINE_OPTIONS_INIT(&raw);
    if (status != ENGINE_OK) return error(status);
    const auto path = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
    raw.backend = static_cast<std::int32_t>(options.backend);
    raw.model = path(options.model);
    raw.simulated_ms = options.simulated_ms;
    raw.onnxruntime_library = path(options.onnxruntime_library);
    raw.provider = static_cast<std::int32_t>(options.provider);
    raw.device = options.device;
    raw.threads = options.threads;
    raw.lanes = options.lanes;
    raw.tensorrt_folder = path(options.tensorrt_folder);
    raw.profile = path(options.profile);
    raw.openvino_library = path(options.openvino_library);
    raw.streams = options.streams;
    raw.cuda_graphs = options.cuda_graphs ? 1 : 0;
    raw.precision = static_cast<std::int32_t>(options.precision);
    raw.trust_engine = options.trust_engine ? 1 : 0;
    raw.mode = static_cast<std::int32_t>(options.mode);
    raw.batch = options.batch;
    raw.workers = options.workers;
    raw.inputs = static_cast<std::int32_t>(options.inputs);
    raw.frame_store = static_cast<std::int32_t>(options.frame_store);
    raw.ram_budget = options.ram_budget;
    raw.region_budget = options.region_budget;
    raw.compositor = static_cast<std::int32_t>(options.compositor);
    raw.interpolation = static_cast<std::int32_t>(options.interpolation);
    raw.queued_frames = options.queued_frames;
    raw.held_frames = options.held_frames;
    raw.pushed_rows = options.pushed_rows;
    return raw;
}

}  // namespace detail

}  // namespace v0_1
}  // namespace engine
