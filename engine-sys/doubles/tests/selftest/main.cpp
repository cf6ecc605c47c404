// Drives the stand-ins for TensorRT through NVIDIA's headers. selftest SCENARIO MODEL FOREIGN PLAN:
// a model, one with a node of a domain that nobody knows, and where to leave an engine.
#include "path.h"

Logger logger;
std::string model;
std::string foreign_model;

namespace {

using Severity = nvinfer1::ILogger::Severity;

// What `text` becomes when `from` is replaced by `to` once.
std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    CHECK(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

void check_versions() {
    CHECK(getInferLibMajorVersion() == NV_TENSORRT_MAJOR);
    CHECK(getInferLibMinorVersion() == NV_TENSORRT_MINOR);
    CHECK(getInferLibPatchVersion() == NV_TENSORRT_PATCH);
    CHECK(getInferLibBuildVersion() == NV_TENSORRT_BUILD);
    CHECK(getInferLibVersion() == NV_TENSORRT_VERSION);
}

void check_engine(const nvinfer1::ICudaEngine& engine) {
    CHECK(engine.getNbIOTensors() == 3 && engine.getNbOptimizationProfiles() == 1);
    const std::string names[] = {"input", "audio", "output"};
    for (int at = 0; at < 3; ++at) {
        const char* const name = engine.getIOTensorName(at);
        CHECK(name == names[at]);
        const bool input = engine.getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
        CHECK(input == (at < 2));
        CHECK(engine.getTensorDataType(name) == nvinfer1::DataType::kFLOAT);
        CHECK(engine.getTensorShape(name).d[0] == -1);
        for (int which = 0; which < 3; ++which) {
            const Dims shape =
                engine.getProfileShape(name, 0, static_cast<OptProfileSelector>(which));
            CHECK(input ? shape.d[0] == which + 1 : shape.nbDims == -1);
        }
    }
    CHECK(engine.getIOTensorName(3) == nullptr);
    CHECK(engine.getTensorIOMode("sound") == nvinfer1::TensorIOMode::kNONE);
    CHECK(engine.getDeviceMemorySizeV2() > 0);
}

// From the model to frames, by hand and by graphs. The plan is left in the file.
void run(const char* plan_file) {
    check_versions();
    Progress progress;
    std::string cache;
    Request request;
    request.progress = &progress;
    request.timing_cache = &cache;
    const std::string plan = build(model, request);
    CHECK(!plan.empty());
    CHECK(progress.phases == "Building engine in nothing\nTiming in Building engine\n");
    CHECK(progress.open == 0 && progress.steps == 8);
    CHECK(logger.count(Severity::kINFO) > 0 && logger.count(Severity::kWARNING) > 0);
    CHECK(logger.count(Severity::kERROR) == 0 && logger.said("timing cache: miss"));
    CHECK(build(model, request) == plan && logger.said("timing cache: hit"));
    std::ofstream(plan_file, std::ios::binary) << plan;

    {
        const Device device;
        const Frames frames;
        const Stream stream;
        Session session(plan);
        CHECK(session.context);
        check_engine(*session.engine);
        nvinfer1::IExecutionContext& context = *session.context;
        CHECK(frames.bind(context));
        CHECK(context.getTensorShape("output").d[0] == -1);
        const char* missing[2] = {};
        CHECK(!context.allInputDimensionsSpecified() && context.inferShapes(2, missing) == 2);
        CHECK(missing[1] == std::string("audio"));
        for (std::int64_t batch : {3, 1, 2}) {
            frames.clear();
            CHECK(set_batch(context, batch) && context.allInputDimensionsSpecified());
            CHECK(context.inferShapes(0, nullptr) == 0);
            CHECK(context.getTensorShape("output").d[0] == batch);
            CHECK(context.enqueueV3(stream) && cuStreamSynchronize(stream.handle) == 0);
            CHECK(frames.written(static_cast<std::size_t>(batch)));
        }

        // A shape that was not enqueued yet cannot be captured.
        void* graph = nullptr;
        CHECK(set_batch(context, 3));
        CHECK(cuStreamBeginCapture_v2(stream.handle, 1) == 0);
        CHECK(!context.enqueueV3(stream) && logger.said("stream is capturing"));
        CHECK(cuStreamEndCapture(stream.handle, &graph) == 0 && cuGraphDestroy(graph) == 0);

        CHECK(context.enqueueV3(stream) && cuStreamSynchronize(stream.handle) == 0);
        frames.clear();
        CHECK(cuStreamBeginCapture_v2(stream.handle, 1) == 0);
        CHECK(context.enqueueV3(stream));
        CHECK(cuStreamEndCapture(stream.handle, &graph) == 0);
        CHECK(frames.written(0));
        void* exec = nullptr;
        CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0);
        for (int replay = 0; replay < 3; ++replay) {
            frames.clear();
            CHECK(cuGraphLaunch(exec, stream.handle) == 0);
            CHECK(cuStreamSynchronize(stream.handle) == 0 && frames.written(3));
        }
        CHECK(cuGraphExecDestroy(exec) == 0 && cuGraphDestroy(graph) == 0);
    }
    CHECK(logger.said("the runtime is destroyed"));
    CHECK(census().empty());
}

// Every refusal says why and leaves nothing behind.
void refusals() {
    const auto says = [](const std::string& onnx, const Request& request, const char* why) {
        logger.take();
        CHECK(build(onnx, request).empty());
        const std::string text = logger.take();
        if (text.find(why) == std::string::npos) std::fprintf(stderr, "%s\n", text.c_str());
        CHECK(text.find(why) != std::string::npos);
        CHECK(census().empty());
    };
    Request request;
#if !defined(TRT_MAJOR_RTX) && NV_TENSORRT_MAJOR == 10
    request.strongly_typed = false;
    says(model, request, "not strongly typed");
#endif
    request = {};
    request.profile = false;
    says(model, request, "no optimization profile has been defined");
    request = {};
    request.opt = 4;
    says(model, request, "min <= opt <= max");
    request = {};
    request.extra_input = "sound";
    says(model, request, "sound: profile 0 sets an input that the network does not have");
    says(replaced(model, "audio", "sound"), {}, "sound: dynamic input is missing dimensions");
    std::string foreign = "not a timing cache";
    request = {};
    request.timing_cache = &foreign;
    says(model, request, "not those of a timing cache");
    foreign = "ENGINE-DOUBLE-TIMING 1\nrtx 0.1.0.0\n";
    says(model, request, "another version of TensorRT");
    request = {};
    for (int step = 0; step < 8; ++step) {
        Progress progress(step);
        request.progress = &progress;
        says(model, request, "cancelled the build");
        CHECK(progress.open == 0);
        CHECK(progress.steps == step + 1 || step < 3);
    }
    says("no protobuf at all", {}, "Failed to parse the ONNX model.");
    for (std::size_t length = 0; length < model.size(); ++length)
        CHECK(build(model.substr(0, length)).empty());
    says(foreign_model, {}, "Plugin not found");
    CHECK(census().empty());
}

// A parser tells which node it does not know, and accepts nothing after that.
void parser() {
    std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
    std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
    std::unique_ptr<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, logger));
    CHECK(!parser->parse(foreign_model.data(), foreign_model.size()));
    CHECK(parser->getNbErrors() == 1);
    const nvonnxparser::IParserError& error = *parser->getError(0);
    CHECK(error.code() == nvonnxparser::ErrorCode::kUNSUPPORTED_NODE && error.node() == 7);
    CHECK(error.nodeName() == std::string("node_7"));
    CHECK(error.nodeOperator() == std::string("ReduceMean"));
    CHECK(parser->getError(1) == nullptr);
    CHECK(!parser->parse(model.data(), model.size()) && parser->getNbErrors() == 2);
    parser.reset(nvonnxparser::createParser(*network, logger));
    CHECK(!parser->parse(nullptr, 0));
    CHECK(parser->getError(0)->code() == nvonnxparser::ErrorCode::kMODEL_DESERIALIZE_FAILED);

    network.reset((parser.reset(), builder->createNetworkV2(0)));
    parser.reset(nvonnxparser::createParser(*network, logger));
    CHECK(parser->parse(model.data(), model.size()) && parser->getNbErrors() == 0);
    CHECK(network->getNbInputs() == 2 && network->getNbOutputs() == 1);
    CHECK(network->getNbLayers() == 10);
    CHECK(network->getInput(1)->getName() == std::string("audio"));
    CHECK(network->getInput(0)->getDimensions().d[1] == 6);
    CHECK(network->getInput(0)->getDimensions().d[0] == -1);
    CHECK(network->getOutput(0)->getType() == nvinfer1::DataType::kFLOAT);
}

// Engines that do not fit, and bytes that are no engine.
void engines() {
    const Device device;
    const std::string plan = build(model);
    std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(logger));
    const auto says = [&](const std::string& bytes, const char* why) {
        logger.take();
        CHECK(runtime->deserializeCudaEngine(bytes.data(), bytes.size()) == nullptr);
        CHECK(logger.said(why));
    };
    for (std::size_t length = 0; length < plan.size(); ++length)
        says(plan.substr(0, length), "Serialization assertion failed");
    for (std::size_t at = 0; at < plan.size(); ++at) {
        std::string flipped = plan;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        says(flipped, "Serialization assertion failed");
    }
    CHECK(runtime->deserializeCudaEngine(nullptr, 0) == nullptr);

    Request request;
    request.version_compatible = true;
    const std::string portable = build(model, request);
    says(portable, "getEngineHostCodeAllowed() is false");
    runtime->setEngineHostCodeAllowed(true);
    std::unique_ptr<nvinfer1::ICudaEngine> engine(
        runtime->deserializeCudaEngine(portable.data(), portable.size()));
    CHECK(engine);

    request = {};
    request.any_device = true;
    const std::string ampere = build(model, request);
    setenv("ENGINE_DOUBLES_CC", "8.9", 1);
    engine.reset(runtime->deserializeCudaEngine(ampere.data(), ampere.size()));
    CHECK(engine);
#if !defined(TRT_MAJOR_RTX)
    says(plan, "expecting compute 8.9 got compute 9.0");
#endif
}

// What a context refuses.
void contexts() {
    const Device device;
    const Frames frames;
    const Stream stream;
    Session session(build(model));
    nvinfer1::IExecutionContext& context = *session.context;
    const auto said = [](const char* why) {
        const std::string text = logger.take();
        return text.find(why) != std::string::npos;
    };
    CHECK(!context.setInputShape("input", image(4)) && said("Valid range for profile 0: [1x6x8x8]"));
    CHECK(!context.setInputShape("input", dims({1, 6, 8, 9})) && said("does not satisfy"));
    CHECK(!context.setInputShape("output", image(1)) && said("no input is called output"));
    CHECK(!context.setInputShape(nullptr, image(1)) && said("(null)"));
    CHECK(!context.setTensorAddress("sound", frames.input.pointer()) && said("sound"));
    CHECK(!context.setOptimizationProfileAsync(1, stream) && said("only profile 0"));
    CHECK(context.setOptimizationProfileAsync(0, stream));
    CHECK(!context.enqueueV3(stream) && said("the shape of input was not set"));
    CHECK(set_batch(context, 2));
    CHECK(!context.enqueueV3(stream) && said("Address is not set for input"));
    CHECK(frames.bind(context) && context.setInputShape("audio", window(1)));
    CHECK(!context.enqueueV3(stream) && said("audio 1x32x16x16"));
    float on_host = 0;
    CHECK(set_batch(context, 1) && context.setTensorAddress("output", &on_host));
    CHECK(!context.enqueueV3(stream) && said("the launch gave"));
    const Memory small(3 * PLANE - 1);
    CHECK(context.setTensorAddress("output", small.pointer()));
    CHECK(!context.enqueueV3(stream) && said("the launch gave"));
    CHECK(frames.bind(context) && context.enqueueV3(stream));
    CHECK(cuStreamSynchronize(stream.handle) == 0);
}

// Everything once. Whether every step succeeded.
bool whole_path() {
    const std::string plan = build(model);
    if (plan.empty()) return false;
    const Frames frames;
    const Stream stream;
    Session session(plan);
    if (!session.context) return false;
    for (int at = 0; at < session.engine->getNbIOTensors(); ++at) {
        const char* const name = session.engine->getIOTensorName(at);
        if (!name || session.engine->getTensorShape(name).nbDims != 4) return false;
    }
    const Dims least = session.engine->getProfileShape("input", 0, OptProfileSelector::kMIN);
    nvinfer1::IExecutionContext& context = *session.context;
    const bool done = least.nbDims == 4 && context.setOptimizationProfileAsync(0, stream) &&
                      set_batch(context, 2) && context.inferShapes(0, nullptr) == 0 &&
                      frames.bind(context) && context.enqueueV3(stream);
    CHECK(cuStreamSynchronize(stream.handle) == 0);
    return done;
}

// Every call can be made to fail, and then nothing is left behind.
void faults() {
    const Device device;
    CHECK(whole_path());
    const std::string before = census();
    const char* const calls[] = {
        "createInferBuilder", "createNetworkV2", "createNvOnnxParser", "parse",
        "createBuilderConfig", "createOptimizationProfile", "setDimensions",
        "addOptimizationProfile", "buildSerializedNetwork", "createInferRuntime",
        "deserializeCudaEngine", "createExecutionContext", "getIOTensorName", "getTensorShape",
        "getProfileShape", "setOptimizationProfileAsync", "setInputShape", "inferShapes",
        "setTensorAddress", "enqueueV3"};
    for (const char* call : calls) {
        const unsigned long made = double_calls(call);
        CHECK(whole_path());
        const unsigned long once = double_calls(call) - made;
        CHECK(once > 0);
        for (unsigned nth = 1; nth <= once; ++nth) {
            logger.take();
            double_fail(call, nth, 7);
            CHECK(!whole_path());
            CHECK(logger.said(std::string(call) + " failed as the test asked (code 7)"));
            CHECK(census() == before);
        }
    }
    std::string cache;
    Request request;
    request.timing_cache = &cache;
    for (const char* call : {"createTimingCache", "setTimingCache", "serializeTimingCache"}) {
        double_fail(call, 1, 7);
        CHECK(build(model, request).empty() && census() == before);
    }
    CHECK(logger.count(Severity::kINTERNAL_ERROR) == 1);
}

// What no caller may do: each of these aborts.
void misuse(const std::string& what) {
    const Device device;
    const std::string plan = build(model);
    if (what == "caller") {
        createInferRuntime_INTERNAL(&logger, NV_TENSORRT_VERSION + 10000);
    } else if (what == "builder") {
        auto* builder = nvinfer1::createInferBuilder(logger);
        builder->createNetworkV2(0);
        delete builder;
    } else if (what == "weights") {
        std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
        std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
        std::unique_ptr<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
        auto* parser = nvonnxparser::createParser(*network, logger);
        parser->parse(model.data(), model.size());
        delete parser;
        builder->buildSerializedNetwork(*network, *config);
    } else if (what == "network") {
        std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
        std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
        nvonnxparser::createParser(*network, logger);
        network.reset();
    } else if (what == "runtime") {
        Session session(plan);
        session.runtime.reset();
    } else if (what == "engine") {
        Session session(plan);
        session.engine.reset();
    }
    const Frames frames;
    const Stream one, two;
    Session session(plan);
    CHECK(frames.bind(*session.context) && set_batch(*session.context, 1));
    if (what == "streams") {
        double_hold("host");
        CHECK(session.context->enqueueV3(one));
        session.context->enqueueV3(two);
    } else if (what == "pending") {
        double_hold("host");
        CHECK(session.context->enqueueV3(one));
        session.context.reset();
    } else if (what == "replay") {
        void* graph = nullptr;
        void* exec = nullptr;
        CHECK(session.context->enqueueV3(one) && cuStreamSynchronize(one.handle) == 0);
        CHECK(cuStreamBeginCapture_v2(one.handle, 1) == 0 && session.context->enqueueV3(one));
        CHECK(cuStreamEndCapture(one.handle, &graph) == 0);
        CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0);
        session.context.reset();
        cuGraphLaunch(exec, one.handle);
        cuStreamSynchronize(one.handle);
    }
}

// Without a current context nothing can be launched.
void homeless() {
    Session session(build(model));
    float nothing = 0;
    for (const char* name : {"input", "audio", "output"})
        CHECK(session.context->setTensorAddress(name, &nothing));
    CHECK(set_batch(*session.context, 1));
    CHECK(!session.context->enqueueV3(nullptr) && logger.said("cuStreamIsCapturing gave"));
}

} // namespace

int main(int count, char** arguments) {
    CHECK(count == 5);
    const std::string scenario = arguments[1];
    model = read_file(arguments[2]);
    foreign_model = read_file(arguments[3]);
    if (scenario == "run") run(arguments[4]);
    else if (scenario == "refusals") refusals();
    else if (scenario == "parser") parser();
    else if (scenario == "engines") engines();
    else if (scenario == "contexts") contexts();
    else if (scenario == "faults") faults();
    else if (scenario == "homeless") homeless();
    else if (scenario == "bogus")
        CHECK(nvinfer1::createInferRuntime(logger) ==
              reinterpret_cast<nvinfer1::IRuntime*>(std::uintptr_t{0x228}));
    else misuse(scenario);
    CHECK(census().empty());
    std::puts("done");
}
