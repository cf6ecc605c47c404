#include "engine.h"

#include "context.h"
#include "driver/driver.h"

namespace fake {

Runtime::~Runtime() noexcept {
    if (mEngines != 0) {
        misuse("a runtime is destroyed while %d of its engines live", mEngines.load());
    }
    // The last use of the logger, which has to live until here.
    log(mLogger, Severity::kVERBOSE, "the runtime is destroyed");
}

bool Runtime::accepts(const Plan& plan) const {
    const bool same = plan.flavour == FLAVOUR && plan.version == version();
    if (!same && !(plan.flavour == FLAVOUR && plan.version_compatible)) {
        log(mLogger, Severity::kERROR,
            "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (The engine plan file is "
            "not compatible with this version of TensorRT, expecting library version %s got %s, "
            "please rebuild.)",
            version(), plan.version.c_str());
        return false;
    }
    if (plan.lean_runtime && !mHostCode) {
        log(mLogger, Severity::kERROR,
            "IRuntime::deserializeCudaEngine: Error Code 3: API Usage Error (Cannot deserialize "
            "engine with lean runtime since IRuntime::getEngineHostCodeAllowed() is false.)");
        return false;
    }
    if (plan.device != "any" && plan.device != device()) {
        log(mLogger, Severity::kERROR,
            "IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error (The engine plan file "
            "is generated on an incompatible device, expecting compute %s got compute %s, please "
            "rebuild.)",
            device().c_str(), plan.device.c_str());
        return false;
    }
    return true;
}

nvinfer1::ICudaEngine* Runtime::deserializeCudaEngine(
    const void* blob, std::size_t size) noexcept {
    if (injected(mLogger, "deserializeCudaEngine")) {
        return nullptr;
    }
    if (driver() == nullptr) {
        log(mLogger, Severity::kERROR, "CUDA initialization failure with error: 35");
        return nullptr;
    }
    std::string why = "there are no bytes";
    auto plan = blob == nullptr ? std::nullopt : Plan::parse(blob, size, why);
    for (std::size_t at = 0; plan && at < plan->tensors.size(); ++at) {
        nvinfer1::DataType type{};
        if (!type_named(plan->tensors[at].type, type)) {
            why = "unknown type " + plan->tensors[at].type;
            plan.reset();
        }
    }
    if (!plan) {
        log(mLogger, Severity::kERROR,
            "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion "
            "failed. %s.)",
            why.c_str());
        return nullptr;
    }
    return accepts(*plan) ? new Engine(*this, std::move(*plan)) : nullptr;
}

Engine::Engine(Runtime& runtime, Plan plan) : mRuntime(runtime), mPlan(std::move(plan)) {
    mImpl = this;
    mRuntime.engine_created();
}

Engine::~Engine() noexcept {
    if (mContexts != 0) {
        misuse("an engine is destroyed while %d of its execution contexts live", mContexts.load());
    }
    mRuntime.engine_destroyed();
}

const PlanTensor* Engine::find(const char* name) const {
    const PlanTensor* const tensor = mPlan.find(name);
    if (tensor == nullptr) {
        log(logger(), Severity::kERROR,
            "Error Code 3: API Usage Error (the engine has no tensor '%s'.)",
            name == nullptr ? "(null)" : name);
    }
    return tensor;
}

std::int32_t Engine::getNbIOTensors() const noexcept {
    return static_cast<std::int32_t>(mPlan.tensors.size());
}

const char* Engine::getIOTensorName(std::int32_t index) const noexcept {
    const auto at = static_cast<std::size_t>(index);
    const bool failed = injected(logger(), "getIOTensorName");
    return !failed && at < mPlan.tensors.size() ? mPlan.tensors[at].name.c_str() : nullptr;
}

nvinfer1::TensorIOMode Engine::getTensorIOMode(const char* name) const noexcept {
    const PlanTensor* const tensor = find(name);
    if (tensor == nullptr) {
        return nvinfer1::TensorIOMode::kNONE;
    }
    return tensor->input ? nvinfer1::TensorIOMode::kINPUT : nvinfer1::TensorIOMode::kOUTPUT;
}

nvinfer1::DataType Engine::getTensorDataType(const char* name) const noexcept {
    const PlanTensor* const tensor = find(name);
    auto type = nvinfer1::DataType::kFLOAT;
    if (tensor != nullptr) {
        type_named(tensor->type, type);
    }
    return type;
}

nvinfer1::TensorLocation Engine::getTensorLocation(const char*) const noexcept {
    return nvinfer1::TensorLocation::kDEVICE;
}

nvinfer1::TensorFormat Engine::getTensorFormat(const char*) const noexcept {
    return nvinfer1::TensorFormat::kLINEAR;
}

nvinfer1::Dims Engine::getTensorShape(const char* name) const noexcept {
    const PlanTensor* const tensor = find(name);
    const bool failed = injected(logger(), "getTensorShape");
    return failed || tensor == nullptr ? no_dims() : dims_of(tensor->shape);
}

nvinfer1::Dims Engine::getProfileShape(const char* name, std::int32_t profile,
    nvinfer1::OptProfileSelector select) const noexcept {
    const PlanTensor* const tensor = find(name);
    const bool failed = injected(logger(), "getProfileShape");
    if (failed || tensor == nullptr || !tensor->input || profile != 0) {
        return no_dims();
    }
    return dims_of(tensor->profile[static_cast<std::size_t>(select)]);
}

nvinfer1::IExecutionContext* Engine::createExecutionContext(
    nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept {
    if (strategy == nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED) {
        unsupported("createExecutionContext(kUSER_MANAGED)");
    }
    return injected(logger(), "createExecutionContext") ? nullptr : new Context(*this);
}

nvinfer1::IRuntimeConfig* Engine::createRuntimeConfig() noexcept {
    return injected(logger(), "createRuntimeConfig") ? nullptr : new RuntimeConfig;
}

nvinfer1::IExecutionContext* Engine::createExecutionContextWithRuntimeConfig(
    nvinfer1::IRuntimeConfig* config) noexcept {
    return createExecutionContext(config->getExecutionContextAllocationStrategy());
}

} // namespace fake
