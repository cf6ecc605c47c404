// One flavour of TensorRT: compiled once per header set.
//
// The build defines
//   SHIM_FLAVOUR        the namespace of this copy: flavour_10, flavour_11, flavour_rtx
//   nvinfer1, nvonnxparser
//                       renamed per flavour: the headers' inline functions are weak symbols, which
//                       the linker would merge across header sets whose vtables differ
// and, for the RTX headers only, SHIM_RTX.
#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "engine-sys/src/ffi.rs.h"
#include "flavours.h"
#include "loader.h"

namespace shim::SHIM_FLAVOUR {
namespace {

// Real libraries give small integers instead of null where there is no driver (0x228 was seen).
template <typename T>
std::unique_ptr<T> checked(void* pointer, const char* attempt) {
    if (reinterpret_cast<std::uintptr_t>(pointer) < 65536) {
        throw std::runtime_error(attempt);
    }
    return std::unique_ptr<T>(static_cast<T*>(pointer));
}

void require(bool done, const char* attempt) {
    if (!done) {
        throw std::runtime_error(attempt);
    }
}

rust::Slice<const std::uint8_t> bytes(const char* text) {
    const std::string_view view = text == nullptr ? std::string_view{} : std::string_view{text};
    return {reinterpret_cast<const std::uint8_t*>(view.data()), view.size()};
}

// What engine-sys/src/engine.rs matches.
static_assert(static_cast<int>(nvinfer1::DataType::kFLOAT) == 0);
static_assert(static_cast<int>(nvinfer1::DataType::kHALF) == 1);

nvinfer1::Dims dims_of(rust::Slice<const std::int64_t> list) {
    nvinfer1::Dims dims{};
    require(list.size() <= static_cast<std::size_t>(nvinfer1::Dims::MAX_DIMS),
            "a shape has more dimensions than TensorRT knows");
    dims.nbDims = static_cast<std::int32_t>(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
        dims.d[i] = list[i];
    }
    return dims;
}

rust::Vec<std::int64_t> list_of(const nvinfer1::Dims& dims) {
    rust::Vec<std::int64_t> list;
    for (std::int32_t i = 0; i < dims.nbDims; ++i) {
        list.push_back(dims.d[i]);
    }
    return list;
}

// Hands TensorRT's messages to Rust; called from any thread.
class Logger final : public nvinfer1::ILogger {
   public:
    explicit Logger(rust::Box<LogSink> sink) : sink_(std::move(sink)) {}

    void log(Severity severity, const char* message) noexcept override {
        log_message(*sink_, static_cast<std::uint8_t>(severity), bytes(message));
    }

    void error(const std::string& message) noexcept { log(Severity::kERROR, message.c_str()); }

   private:
    rust::Box<LogSink> sink_;
};

// Hands the builder's progress to Rust; called from the builder's threads.
class Progress final : public nvinfer1::IProgressMonitor {
   public:
    explicit Progress(const ProgressSink& sink) : sink_(sink) {}

    void phaseStart(const char* name, const char* parent, std::int32_t steps) noexcept override {
        phase_start(sink_, bytes(name), bytes(parent), steps);
    }

    bool stepComplete(const char* name, std::int32_t step) noexcept override {
        return step_complete(sink_, bytes(name), step);
    }

    void phaseFinish(const char* name) noexcept override { phase_finish(sink_, bytes(name)); }

   private:
    const ProgressSink& sink_;
};

class ContextImpl final : public Context {
   public:
    ContextImpl(nvinfer1::ICudaEngine& engine, std::unique_ptr<nvinfer1::IExecutionContext> context)
        : engine_(engine), context_(std::move(context)) {}

    void set_input_shape(std::size_t tensor, rust::Slice<const std::int64_t> dims) override {
        require(context_->setInputShape(name(tensor), dims_of(dims)), "setInputShape failed");
    }

    void set_tensor_address(std::size_t tensor, std::size_t address) override {
        require(context_->setTensorAddress(name(tensor), reinterpret_cast<void*>(address)),
                "setTensorAddress failed");
    }

    void enqueue(std::size_t stream) override {
        require(context_->enqueueV3(reinterpret_cast<cudaStream_t>(stream)), "enqueueV3 failed");
    }

   private:
    const char* name(std::size_t tensor) const {
        return engine_.getIOTensorName(static_cast<std::int32_t>(tensor));
    }

    nvinfer1::ICudaEngine& engine_;
    std::unique_ptr<nvinfer1::IExecutionContext> context_;
};

class EngineImpl final : public Engine {
   public:
    explicit EngineImpl(std::unique_ptr<nvinfer1::ICudaEngine> engine)
        : engine_(std::move(engine)) {}

    rust::Vec<Tensor> tensors() const override {
        rust::Vec<Tensor> list;
        for (std::int32_t i = 0; i < engine_->getNbIOTensors(); ++i) {
            const char* name = engine_->getIOTensorName(i);
            require(name != nullptr, "getIOTensorName gave no name");
            Tensor tensor{};
            tensor.name = rust::String::lossy(name);
            tensor.input = engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
            tensor.element = static_cast<std::int32_t>(engine_->getTensorDataType(name));
            tensor.shape = list_of(engine_->getTensorShape(name));
            if (tensor.input) {
                tensor.min = profile(name, nvinfer1::OptProfileSelector::kMIN);
                tensor.opt = profile(name, nvinfer1::OptProfileSelector::kOPT);
                tensor.max = profile(name, nvinfer1::OptProfileSelector::kMAX);
            }
            list.push_back(std::move(tensor));
        }
        return list;
    }

    std::int64_t context_bytes() const override {
        return static_cast<std::int64_t>(engine_->getDeviceMemorySizeV2());
    }

    std::unique_ptr<Context> create_context() const override {
#ifdef SHIM_RTX
        // Shape-specialised kernels are compiled when a shape is first enqueued, so that a graph
        // that is captured after a warm-up holds them and not the fallback kernels.
        auto config = checked<nvinfer1::IRuntimeConfig>(engine_->createRuntimeConfig(),
                                                        "createRuntimeConfig failed");
        config->setDynamicShapesKernelSpecializationStrategy(
            nvinfer1::DynamicShapesKernelSpecializationStrategy::kEAGER);
        auto* context = engine_->createExecutionContext(config.get());
#else
        auto* context = engine_->createExecutionContext();
#endif
        return std::make_unique<ContextImpl>(
            *engine_,
            checked<nvinfer1::IExecutionContext>(context, "createExecutionContext failed"));
    }

   private:
    rust::Vec<std::int64_t> profile(const char* name, nvinfer1::OptProfileSelector which) const {
        return list_of(engine_->getProfileShape(name, 0, which));
    }

    std::unique_ptr<nvinfer1::ICudaEngine> engine_;
};

class RuntimeImpl final : public Runtime {
   public:
    explicit RuntimeImpl(std::unique_ptr<nvinfer1::IRuntime> runtime, bool host_code)
        : runtime_(std::move(runtime)) {
        // A version-compatible engine brings code of its own; the caller says whether it is trusted.
        runtime_->setEngineHostCodeAllowed(host_code);
    }

    std::unique_ptr<Engine> deserialize(rust::Slice<const std::uint8_t> plan) const override {
        auto* engine = runtime_->deserializeCudaEngine(plan.data(), plan.size());
        return std::make_unique<EngineImpl>(
            checked<nvinfer1::ICudaEngine>(engine, "deserializeCudaEngine failed"));
    }

   private:
    std::unique_ptr<nvinfer1::IRuntime> runtime_;
};

class PlanImpl final : public Plan {
   public:
    PlanImpl(std::unique_ptr<nvinfer1::IHostMemory> engine,
             std::unique_ptr<nvinfer1::IHostMemory> timing_cache)
        : engine_(std::move(engine)), timing_cache_(std::move(timing_cache)) {}

    rust::Slice<const std::uint8_t> engine() const override { return view(engine_.get()); }

    rust::Slice<const std::uint8_t> timing_cache() const override {
        return view(timing_cache_.get());
    }

   private:
    static rust::Slice<const std::uint8_t> view(const nvinfer1::IHostMemory* memory) {
        if (memory == nullptr) {
            return {};
        }
        return {static_cast<const std::uint8_t*>(memory->data()), memory->size()};
    }

    std::unique_ptr<nvinfer1::IHostMemory> engine_;
    std::unique_ptr<nvinfer1::IHostMemory> timing_cache_;
};

class LibraryImpl final : public Library {
   public:
    LibraryImpl(const std::string& path, rust::Box<LogSink> log)
        : logger_(std::move(log)),
          library_(path),
          version_(library_.require<std::int32_t() noexcept>("getInferLibVersion")()),
          create_builder_(library_.find<Create>("createInferBuilder_INTERNAL")),
          create_runtime_(library_.require<Create>("createInferRuntime_INTERNAL")) {}

    bool can_build() const override { return create_builder_ != nullptr; }

    std::unique_ptr<Plan> build(rust::Str parser_path, rust::Slice<const std::uint8_t> model,
                                const BuildRequest& request,
                                const ProgressSink& progress_sink) const override {
        require(can_build(), "this library only runs engines; it has no builder");
        const SharedObject parser_library{std::string(parser_path)};
        const auto create_parser =
            parser_library.require<void*(void*, void*, std::int32_t) noexcept>(
                "createNvOnnxParser_INTERNAL");

        // Declared in the order in which they depend on each other: destroyed in reverse.
        Progress progress(progress_sink);
        const auto builder =
            checked<nvinfer1::IBuilder>(create_builder_(&logger_, version_), "creating a builder failed");
        const auto network = checked<nvinfer1::INetworkDefinition>(
            builder->createNetworkV2(strongly_typed()), "createNetworkV2 failed");
        // A parser that failed once rejects good models afterwards, so each build has a fresh one.
        const auto parser = checked<nvonnxparser::IParser>(
            create_parser(network.get(), &logger_, NV_ONNX_PARSER_VERSION), "creating an ONNX parser failed");
        if (!parser->parse(model.data(), model.size())) {
            tell_errors(*parser);
            throw std::runtime_error("the ONNX parser refused the model");
        }

        const auto config = checked<nvinfer1::IBuilderConfig>(builder->createBuilderConfig(),
                                                              "createBuilderConfig failed");
        configure(*config, request);
        config->setProgressMonitor(&progress);
        add_profile(*builder, *config, request);
        std::unique_ptr<nvinfer1::ITimingCache> timing_cache;
        if (request.use_timing_cache) {
            timing_cache = load_timing_cache(*config, request);
        }

        auto engine = checked<nvinfer1::IHostMemory>(
            builder->buildSerializedNetwork(*network, *config), "the builder made no engine");
        std::unique_ptr<nvinfer1::IHostMemory> cache;
        if (timing_cache != nullptr) {
            cache = checked<nvinfer1::IHostMemory>(timing_cache->serialize(),
                                                   "the timing cache cannot be serialized");
        }
        return std::make_unique<PlanImpl>(std::move(engine), std::move(cache));
    }

    std::unique_ptr<Runtime> create_runtime(bool host_code) const override {
        return std::make_unique<RuntimeImpl>(
            checked<nvinfer1::IRuntime>(create_runtime_(&logger_, version_), "creating a runtime failed"),
            host_code);
    }

   private:
    using Create = void*(void*, std::int32_t) noexcept;

    static nvinfer1::NetworkDefinitionCreationFlags strongly_typed() {
        // Precision is in the graph. From 11 on every network is strongly typed.
        return 1U << static_cast<std::uint32_t>(
                   nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED);
    }

    void tell_errors(const nvonnxparser::IParser& parser) const {
        for (int i = 0; i < parser.getNbErrors(); ++i) {
            const auto* error = parser.getError(i);
            const auto text = [](const char* part) {
                return std::string(part == nullptr ? "" : part);
            };
            std::string message = text(error->desc());
            if (error->node() >= 0) {
                message += " (node " + std::to_string(error->node()) + " \"" +
                           text(error->nodeName()) + "\", operator " +
                           text(error->nodeOperator()) + ")";
            }
            logger_.error(message);
        }
    }

    static void configure(nvinfer1::IBuilderConfig& config, const BuildRequest& request) {
        if (request.workspace > 0) {
            config.setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, request.workspace);
        }
        if (request.version_compatible) {
            config.setFlag(nvinfer1::BuilderFlag::kVERSION_COMPATIBLE);
        }
        if (request.hardware_compatible) {
            config.setHardwareCompatibilityLevel(
                nvinfer1::HardwareCompatibilityLevel::kAMPERE_PLUS);
        }
    }

    static void add_profile(nvinfer1::IBuilder& builder, nvinfer1::IBuilderConfig& config,
                            const BuildRequest& request) {
        // The builder owns its profiles.
        auto* profile = builder.createOptimizationProfile();
        require(profile != nullptr, "createOptimizationProfile failed");
        const auto set = [&](const std::string& name, nvinfer1::OptProfileSelector which,
                             const rust::Vec<std::int64_t>& dims) {
            require(profile->setDimensions(name.c_str(), which,
                                           dims_of({dims.data(), dims.size()})),
                    "the optimization profile was refused");
        };
        for (const auto& input : request.profile) {
            const std::string name(input.name);
            set(name, nvinfer1::OptProfileSelector::kMIN, input.min);
            set(name, nvinfer1::OptProfileSelector::kOPT, input.opt);
            set(name, nvinfer1::OptProfileSelector::kMAX, input.max);
        }
        require(profile->isValid() && config.addOptimizationProfile(profile) >= 0,
                "the optimization profile was refused");
    }

    static std::unique_ptr<nvinfer1::ITimingCache> load_timing_cache(
        nvinfer1::IBuilderConfig& config, const BuildRequest& request) {
        const auto& blob = request.timing_cache;
        auto cache = checked<nvinfer1::ITimingCache>(
            config.createTimingCache(blob.data(), blob.size()), "the timing cache was refused");
        require(config.setTimingCache(*cache, false), "the timing cache was refused");
        return cache;
    }

    // First in, last out: everything above logs.
    mutable Logger logger_;
    SharedObject library_;
    // The library's own version is what its entry points are told, since nothing is used that only
    // newer headers have.
    std::int32_t version_;
    Create* create_builder_;
    Create* create_runtime_;
};

}  // namespace

Version headers() {
    return Version{NV_TENSORRT_MAJOR, NV_TENSORRT_MINOR, NV_TENSORRT_PATCH, NV_TENSORRT_BUILD};
}

std::unique_ptr<Library> open(const std::string& path, rust::Box<LogSink> log) {
    return std::make_unique<LibraryImpl>(path, std::move(log));
}

}  // namespace shim::SHIM_FLAVOUR
