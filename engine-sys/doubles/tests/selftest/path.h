// The whole way from a model to frames, in the steps that the scenarios of the self-test mix.
#pragma once

#include <NvInfer.h>
#include <NvOnnxParser.h>

#include "control/control.h"
#include "cuda.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (false)

using nvinfer1::Dims;
using nvinfer1::OptProfileSelector;

constexpr std::int64_t SIDE = 8;
constexpr std::size_t PLANE = SIDE * SIDE;
constexpr std::size_t WINDOW = 32 * 16 * 16;

class Logger final : public nvinfer1::ILogger {
public:
    void log(Severity severity, const char* text) noexcept override {
        std::lock_guard<std::mutex> held(mLock);
        mText += std::string(text) + "\n";
        ++mCounts[severity];
    }

    bool said(const std::string& part) {
        std::lock_guard<std::mutex> held(mLock);
        return mText.find(part) != std::string::npos;
    }

    int count(Severity severity) {
        std::lock_guard<std::mutex> held(mLock);
        return mCounts[severity];
    }

    std::string take() {
        std::lock_guard<std::mutex> held(mLock);
        return std::exchange(mText, {});
    }

private:
    std::mutex mLock;
    std::string mText;
    std::map<Severity, int> mCounts;
};

// Counts what it is told, and cancels at one of the steps.
class Progress final : public nvinfer1::IProgressMonitor {
public:
    explicit Progress(int cancel_at = -1) : mCancelAt(cancel_at) {}

    void phaseStart(const char* name, const char* parent, std::int32_t) noexcept override {
        phases += std::string(name) + " in " + (parent == nullptr ? "nothing" : parent) + "\n";
        ++open;
    }
    bool stepComplete(const char*, std::int32_t) noexcept override { return steps++ != mCancelAt; }
    void phaseFinish(const char*) noexcept override { --open; }

    std::string phases;
    int open = 0;
    int steps = 0;

private:
    int mCancelAt;
};

inline Dims dims(std::initializer_list<std::int64_t> list) {
    Dims made{};
    for (std::int64_t dim : list) {
        made.d[made.nbDims++] = dim;
    }
    return made;
}

inline Dims image(std::int64_t frames) { return dims({frames, 6, SIDE, SIDE}); }
inline Dims window(std::int64_t frames) { return dims({frames, 32, 16, 16}); }

inline std::string read_file(const char* path) {
    std::ifstream file(path, std::ios::binary);
    CHECK(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Live as long as the process: what the scenarios log to, and the model that they build.
extern Logger logger;
extern std::string model;

struct Request {
    std::int64_t min = 1, opt = 2, max = 3;
    Progress* progress = nullptr;
    bool strongly_typed = true;
    bool profile = true;
    bool version_compatible = false;
    bool any_device = false;
    // The bytes of a timing cache before and after.
    std::string* timing_cache = nullptr;
    std::string extra_input;
};

// The bytes of an engine, or none where a step fails. Everything is destroyed in either case.
inline std::string build(const std::string& onnx, const Request& request = {}) {
    std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
    if (!builder) return {};
    const auto typed = nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED;
    std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(
        request.strongly_typed ? 1U << static_cast<unsigned>(typed) : 0U));
    if (!network) return {};
    std::unique_ptr<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, logger));
    if (!parser || !parser->parse(onnx.data(), onnx.size())) return {};
    std::unique_ptr<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
    if (!config) return {};
    config->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, 1U << 20U);
    config->setProgressMonitor(request.progress);
    if (request.version_compatible) config->setFlag(nvinfer1::BuilderFlag::kVERSION_COMPATIBLE);
    if (request.any_device)
        config->setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel::kAMPERE_PLUS);
    auto* const profile = builder->createOptimizationProfile();
    if (!profile) return {};
    const std::int64_t batches[] = {request.min, request.opt, request.max};
    for (int at = 0; request.profile && at < 3; ++at) {
        const auto which = static_cast<OptProfileSelector>(at);
        if (!profile->setDimensions("input", which, image(batches[at])) ||
            !profile->setDimensions("audio", which, window(batches[at])))
            return {};
        if (!request.extra_input.empty() &&
            !profile->setDimensions(request.extra_input.c_str(), which, image(1)))
            return {};
    }
    if (request.profile && config->addOptimizationProfile(profile) != 0) return {};
    std::unique_ptr<nvinfer1::ITimingCache> cache;
    if (request.timing_cache) {
        const std::string& bytes = *request.timing_cache;
        cache.reset(config->createTimingCache(bytes.data(), bytes.size()));
        if (!cache || !config->setTimingCache(*cache, false)) return {};
    }
    std::unique_ptr<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
    if (!plan) return {};
    if (cache) {
        std::unique_ptr<nvinfer1::IHostMemory> bytes(cache->serialize());
        if (!bytes) return {};
        request.timing_cache->assign(static_cast<const char*>(bytes->data()), bytes->size());
    }
    return {static_cast<const char*>(plan->data()), plan->size()};
}

// The device's context on this thread.
struct Device {
    Device() {
        void* context = nullptr;
        CHECK(cuInit(0) == 0 && cuDevicePrimaryCtxRetain(&context, 0) == 0);
        CHECK(cuCtxSetCurrent(context) == 0);
    }
    ~Device() { cuDevicePrimaryCtxRelease_v2(0); }
};

struct Memory {
    explicit Memory(std::size_t floats) : floats(floats) {
        CHECK(cuMemAlloc_v2(&address, floats * 4) == 0);
    }
    ~Memory() { cuMemFree_v2(address); }
    void* pointer() const { return reinterpret_cast<void*>(address); }

    std::uint64_t address = 0;
    std::size_t floats;
};

struct Stream {
    Stream() { CHECK(cuStreamCreate(&handle, 1) == 0); }
    ~Stream() { cuStreamDestroy_v2(handle); }
    operator cudaStream_t() const { return static_cast<cudaStream_t>(handle); }

    void* handle = nullptr;
};

// Inputs for up to three frames on the device, and what has to come out.
struct Frames {
    Frames() : input(3 * 6 * PLANE), audio(3 * WINDOW), output(3 * 3 * PLANE) {
        std::vector<float> pixels(input.floats), sound(audio.floats);
        for (std::size_t at = 0; at < pixels.size(); ++at)
            pixels[at] = static_cast<float>(at * 7919 % 256) / 255.0F;
        for (std::size_t at = 0; at < sound.size(); ++at)
            sound[at] = static_cast<float>(at * 31 % 101) / 100.0F - (at < WINDOW ? 0.2F : 0.0F);
        CHECK(cuMemcpyHtoD_v2(input.address, pixels.data(), pixels.size() * 4) == 0);
        CHECK(cuMemcpyHtoD_v2(audio.address, sound.data(), sound.size() * 4) == 0);
        for (std::size_t frame = 0; frame < 3; ++frame) {
            int loud = 0;
            for (std::size_t at = 0; at < WINDOW; ++at) loud += sound[frame * WINDOW + at] > 0.5F;
            for (std::size_t at = 0; at < 3 * PLANE; ++at) {
                const std::size_t roi = frame * 6 * PLANE + at;
                const float image = 0.5F * pixels[roi] + 0.25F * pixels[roi + 3 * PLANE];
                expected.push_back(image + 0.125F * (static_cast<float>(loud) / WINDOW));
            }
        }
    }

    // Whether exactly the first `frames` frames were written since the last clear().
    bool written(std::size_t frames) const {
        std::vector<float> found(output.floats);
        CHECK(cuMemcpyDtoH_v2(found.data(), output.address, found.size() * 4) == 0);
        for (std::size_t at = 0; at < found.size(); ++at)
            if (found[at] != (at < frames * 3 * PLANE ? expected[at] : 0.0F)) return false;
        return true;
    }

    void clear() const { CHECK(cuMemsetD8_v2(output.address, 0, output.floats * 4) == 0); }

    bool bind(nvinfer1::IExecutionContext& context) const {
        return context.setTensorAddress("input", input.pointer()) &&
               context.setTensorAddress("audio", audio.pointer()) &&
               context.setTensorAddress("output", output.pointer());
    }

    Memory input, audio, output;
    std::vector<float> expected;
};

inline bool set_batch(nvinfer1::IExecutionContext& context, std::int64_t frames) {
    return context.setInputShape("input", image(frames)) &&
           context.setInputShape("audio", window(frames));
}

// A runtime with an engine and a context, destroyed in the right order.
struct Session {
    explicit Session(const std::string& plan) : runtime(nvinfer1::createInferRuntime(logger)) {
        if (runtime) engine.reset(runtime->deserializeCudaEngine(plan.data(), plan.size()));
        if (engine) context.reset(engine->createExecutionContext());
    }

    std::unique_ptr<nvinfer1::IRuntime> runtime;
    std::unique_ptr<nvinfer1::ICudaEngine> engine;
    std::unique_ptr<nvinfer1::IExecutionContext> context;
};

// The kinds of objects that still live.
inline std::string census() {
    char text[1024];
    double_census(text, sizeof text);
    return text;
}
