#include "builder.h"

#include "config.h"
#include "network.h"

#include <chrono>
#include <cstdlib>
#include <thread>

namespace fake {
namespace {

// ENGINE_DOUBLES_BUILD_STEPS=N makes a build last N milliseconds and more, so that a child process
// can be interrupted in the middle of one.
std::int32_t steps() {
    const char* const asked = std::getenv("ENGINE_DOUBLES_BUILD_STEPS");
    return asked == nullptr ? 5 : std::atoi(asked);
}

void spend_time() {
    if (std::getenv("ENGINE_DOUBLES_BUILD_STEPS") != nullptr) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

// One phase and, for its first step, a phase within it. False once the monitor wants no more; each
// phase that was started is finished all the same.
bool phase(nvinfer1::IProgressMonitor& monitor, const char* name, const char* parent,
    std::int32_t count, const char* nested) {
    monitor.phaseStart(name, parent, count);
    bool go_on = true;
    for (std::int32_t step = 0; go_on && step < count; ++step) {
        if (step == 0 && nested != nullptr) {
            // TensorRT reports from threads of its own.
            std::thread([&] { go_on = phase(monitor, nested, name, 3, nullptr); }).join();
        }
        spend_time();
        go_on = go_on && monitor.stepComplete(name, step);
    }
    monitor.phaseFinish(name);
    return go_on;
}

} // namespace

Builder::~Builder() noexcept {
    if (mChildren != 0) {
        misuse("a builder is destroyed while %d of its networks and configurations live",
            mChildren.load());
    }
    log(mLogger, Severity::kVERBOSE, "the builder is destroyed");
}

nvinfer1::INetworkDefinition* Builder::createNetworkV2(
    nvinfer1::NetworkDefinitionCreationFlags flags) noexcept {
    return injected(mLogger, "createNetworkV2") ? nullptr : new Network(*this, flags);
}

nvinfer1::IBuilderConfig* Builder::createBuilderConfig() noexcept {
    return injected(mLogger, "createBuilderConfig") ? nullptr : new Config(*this);
}

nvinfer1::IOptimizationProfile* Builder::createOptimizationProfile() noexcept {
    if (injected(mLogger, "createOptimizationProfile")) {
        return nullptr;
    }
    mProfiles.push_back(std::make_unique<Profile>(mLogger));
    return mProfiles.back().get();
}

nvinfer1::IHostMemory* Builder::buildSerializedNetwork(
    nvinfer1::INetworkDefinition& network, nvinfer1::IBuilderConfig& config) noexcept {
    if (injected(mLogger, "buildSerializedNetwork")) {
        log(mLogger, Severity::kINTERNAL_ERROR, "the build ran into an internal error");
        return nullptr;
    }
    double_begin("build");
    auto* const plan
        = build(static_cast<const Network&>(network), static_cast<const Config&>(config));
    double_end("build");
    return plan;
}

nvinfer1::IHostMemory* Builder::build(const Network& network, const Config& config) {
    if (network.lost_its_parser()) {
        misuse("a network is built after its parser, which owns its weights, was destroyed");
    }
    TimingCache* const cache = TimingCache::living(config.getTimingCache());
    if (cache == nullptr && config.getTimingCache() != nullptr) {
        misuse("the configuration's timing cache was destroyed before the build");
    }
#if !defined(TRT_MAJOR_RTX) && NV_TENSORRT_MAJOR == 10
    if (!network.getFlag(nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED)) {
        log(mLogger, Severity::kERROR,
            "the network is not strongly typed, so this TensorRT would choose precisions itself");
        return nullptr;
    }
#endif
    if (network.getNbOutputs() == 0) {
        log(mLogger, Severity::kERROR,
            "Error Code 4: API Usage Error (Network must have at least one output)");
        return nullptr;
    }
    auto tensors = tensors_of(mLogger, network, config.profile());
    if (!tensors) {
        return nullptr;
    }
    log(mLogger, Severity::kINFO, "building an engine of %d layers", network.getNbLayers());
    log(mLogger, Severity::kWARNING, "the fake computes the probe network, whatever it is given");

    nvinfer1::IProgressMonitor* const monitor = config.getProgressMonitor();
    if (monitor != nullptr && !phase(*monitor, "Building engine", nullptr, steps(), "Timing")) {
        log(mLogger, Severity::kERROR, "the progress monitor cancelled the build");
        return nullptr;
    }

    Plan plan;
    plan.flavour = FLAVOUR;
    plan.version = version();
    const bool any_device = plan.flavour == "rtx"
        || config.getHardwareCompatibilityLevel() != nvinfer1::HardwareCompatibilityLevel::kNONE;
    plan.device = any_device ? "any" : device();
    plan.version_compatible = config.getFlag(nvinfer1::BuilderFlag::kVERSION_COMPATIBLE);
    plan.lean_runtime = plan.version_compatible
        && !config.getFlag(nvinfer1::BuilderFlag::kEXCLUDE_LEAN_RUNTIME);
    plan.layers = network.getNbLayers();
    plan.tensors = std::move(*tensors);
    const std::string text = plan.text();
    if (cache != nullptr) {
        log(mLogger, Severity::kVERBOSE, "timing cache: %s", cache->knows(text) ? "hit" : "miss");
    }
    return new HostMemory(text);
}

} // namespace fake
