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
        const void* blob, std::size_t size) noexcept override;
    nvinfer1::ILogger* getLogger() const noexcept override { return &mLogger; }
    void setEngineHostCodeAllowed(bool allowed) noexcept override { mHostCode = allowed; }
    bool getEngineHostCodeAllowed() const noexcept override { return mHostCode; }

    Logger& logger() const { return mLogger; }
    void engine_created() { ++mEngines; }
    void engine_destroyed() { --mEngines; }

private:
    bool accepts(const Plan& plan) const;

    Alive mAlive{"runtime"};
    Logger& mLogger;
    bool mHostCode{false};
    std::atomic<int> mEngines{0};
};

// How an execution context shall be made. Only the strategy of its memory has an effect.
class RuntimeConfig final : public nvinfer1::IRuntimeConfig,
                            public nvinfer1::apiv::StubVRuntimeConfig {
public:
    RuntimeConfig() { mImpl = this; }

    nvinfer1::IRuntimeConfig* getPImpl() noexcept override { return this; }
    void setExecutionContextAllocationStrategy(
        nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept override {
        mStrategy = strategy;
    }
    nvinfer1::ExecutionContextAllocationStrategy getExecutionContextAllocationStrategy()
        const noexcept override {
        return mStrategy;
    }
#if defined(TRT_MAJOR_RTX)
    void setDynamicShapesKernelSpecializationStrategy(
        nvinfer1::DynamicShapesKernelSpecializationStrategy) noexcept override {}
#endif

private:
    Alive mAlive{"runtime_config"};
    nvinfer1::ExecutionContextAllocationStrategy mStrategy{
        nvinfer1::ExecutionContextAllocationStrategy::kSTATIC};
};

class Engine final : public nvinfer1::ICudaEngine, public nvinfer1::apiv::StubVCudaEngine {
public:
    Engine(Runtime& runtime, Plan plan);
    ~Engine() noexcept override;

    nvinfer1::ICudaEngine* getPImpl() noexcept override { return this; }
    const char* getName() const noexcept override { return "engine-double"; }
    std::int32_t getNbLayers() const noexcept override { return mPlan.layers; }
    std::int32_t getNbOptimizationProfiles() const noexcept override { return 1; }
    std::int32_t getNbIOTensors() const noexcept override;
    const char* getIOTensorName(std::int32_t index) const noexcept override;
    nvinfer1::TensorIOMode getTensorIOMode(const char* name) const noexcept override;
    nvinfer1::DataType getTensorDataType(const char* name) const noexcept override;
    nvinfer1::TensorLocation getTensorLocation(const char* name) const noexcept override;
    nvinfer1::TensorFormat getTensorFormat(const char* name) const noexcept override;
    nvinfer1::Dims getTensorShape(const char* name) const noexcept override;
    nvinfer1::Dims getProfileShape(const char* name, std::int32_t profile,
        nvinfer1::OptProfileSelector select) const noexcept override;
    std::int64_t getDeviceMemorySizeV2() const noexcept override { return 1 << 20; }
    nvinfer1::IExecutionContext* createExecutionContext(
        nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept override;
    nvinfer1::IRuntimeConfig* createRuntimeConfig() noexcept override;
    nvinfer1::IExecutionContext* createExecutionContextWithRuntimeConfig(
        nvinfer1::IRuntimeConfig* config) noexcept override;

    const Plan& plan() const { return mPlan; }
    Logger& logger() const { return mRuntime.logger(); }
    void context_created() { ++mContexts; }
    void context_destroyed() { --mContexts; }

private:
    // nullptr and an error in the log for a name that the engine does not have.
    const PlanTensor* find(const char* name) const;

    Alive mAlive{"engine"};
    Runtime& mRuntime;
    const Plan mPlan;
    std::atomic<int> mContexts{0};
};

} // namespace fake
