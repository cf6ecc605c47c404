// The fake runtime and its engines.
#pragma once

#include "objects.h"

#include <atomic>

namespace fake {

class Runtime final : public nvinfer1::IRuntime, public nvinfer1::apiv::StubVRuntime {
public:
    explicit Runtime(Logger& logger) : mLogger(logger) { mImpl = this; }
    ~Runtime() noexcept override;

    nvinfer1::IRuntime* getPImpl() noexcept override { return this; }
    nvinfer1::ICudaEngine* deserializeCudaEngine(
        void const* blob, std::size_t size) noexcept override;
    nvinfer1::ILogger* getLogger() const noexcept override { return &mLogger; }
    void setEngineHostCodeAllowed(bool allowed) noexcept override { mHostCode = allowed; }
    bool getEngineHostCodeAllowed() const noexcept override { return mHostCode; }

    Logger& logger() const { return mLogger; }
    void engine_created() { ++mEngines; }
    void engine_destroyed() { --mEngines; }

private:
    bool accepts(Plan const& plan) const;

    Alive mAlive{"runtime"};
    Logger& mLogger;
    bool mHostCode{false};
    std::atomic<int> mEngines{0};
};

class Engine final : public nvinfer1::ICudaEngine, public nvinfer1::apiv::StubVCudaEngine {
public:
    Engine(Runtime& runtime, Plan plan);
    ~Engine() noexcept override;

    nvinfer1::ICudaEngine* getPImpl() noexcept override { return this; }
    char const* getName() const noexcept override { return "engine-double"; }
    std::int32_t getNbLayers() const noexcept override { return mPlan.layers; }
    std::int32_t getNbOptimizationProfiles() const noexcept override { return 1; }
    std::int32_t getNbIOTensors() const noexcept override;
    char const* getIOTensorName(std::int32_t index) const noexcept override;
    nvinfer1::TensorIOMode getTensorIOMode(char const* name) const noexcept override;
    nvinfer1::DataType getTensorDataType(char const* name) const noexcept override;
    nvinfer1::TensorLocation getTensorLocation(char const* name) const noexcept override;
    nvinfer1::TensorFormat getTensorFormat(char const* name) const noexcept override;
    nvinfer1::Dims getTensorShape(char const* name) const noexcept override;
    nvinfer1::Dims getProfileShape(char const* name, std::int32_t profile,
        nvinfer1::OptProfileSelector select) const noexcept override;
    std::int64_t getDeviceMemorySizeV2() const noexcept override { return 1 << 20; }
    nvinfer1::IExecutionContext* createExecutionContext(
        nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept override;

    Plan const& plan() const { return mPlan; }
    Logger& logger() const { return mRuntime.logger(); }
    void context_created() { ++mContexts; }
    void context_destroyed() { --mContexts; }

private:
    // nullptr and an error in the log for a name that the engine does not have.
    PlanTensor const* find(char const* name) const;

    Alive mAlive{"engine"};
    Runtime& mRuntime;
    Plan const mPlan;
    std::atomic<int> mContexts{0};
};

} // namespace fake
