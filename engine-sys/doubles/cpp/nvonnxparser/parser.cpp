// The fake ONNX parser: an input for each input of the graph, a layer for each node.

#include "nvcommon/common.h"
#include "onnx.h"
#include "parser_stubs.h"

#include <NvOnnxParser.h>

#include <algorithm>
#include <memory>

#define API extern "C" __attribute__((visibility("default")))

// Of the fake libnvinfer of the same flavour.
extern "C" void double_parser_created(nvinfer1::INetworkDefinition* network);
extern "C" void double_parser_destroyed(nvinfer1::INetworkDefinition* network);

namespace fake {
namespace {

using nvonnxparser::ErrorCode;

struct ParserError final : nvonnxparser::IParserError {
    ErrorCode mCode = ErrorCode::kSUCCESS;
    std::string mText;
    int mNode = -1;
    std::string mNodeName;
    std::string mOperator;

    ~ParserError() override = default;
    ErrorCode code() const override { return mCode; }
    const char* desc() const override { return mText.c_str(); }
    const char* file() const override { return "parser.cpp"; }
    int line() const override { return 1; }
    const char* func() const override { return "parse"; }
    int node() const override { return mNode; }
    const char* nodeName() const override { return mNodeName.c_str(); }
    const char* nodeOperator() const override { return mOperator.c_str(); }
    const char* const* localFunctionStack() const override { return nullptr; }
    std::int32_t localFunctionStackSize() const override { return 0; }
};

class Parser final : public nvonnxparser::StubIParser {
public:
    Parser(nvinfer1::INetworkDefinition& network, Logger& logger)
        : mNetwork(network), mLogger(logger) {
        double_parser_created(&mNetwork);
    }

    ~Parser() noexcept override { double_parser_destroyed(&mNetwork); }

    bool parse(const void* bytes, std::size_t size, const char*) noexcept override {
        if (injected(mLogger, "parse")) {
            return fail(ErrorCode::kINTERNAL_ERROR, "the parser failed as the test asked");
        }
        // As the real parser does: one failure, and good models are refused too.
        if (!mErrors.empty() || mUsed) {
            return fail(ErrorCode::kINTERNAL_ERROR, "the parser was used before");
        }
        mUsed = true;
        OnnxGraph graph;
        if (!read_onnx(bytes, size, graph)) {
            return fail(ErrorCode::kMODEL_DESERIALIZE_FAILED, "Failed to parse the ONNX model.");
        }
        return add(graph);
    }

    int getNbErrors() const noexcept override { return static_cast<int>(mErrors.size()); }

    const nvonnxparser::IParserError* getError(int index) const noexcept override {
        const auto at = static_cast<std::size_t>(index);
        return at < mErrors.size() ? mErrors[at].get() : nullptr;
    }

    void clearErrors() noexcept override { mErrors.clear(); }
    void setFlags(nvonnxparser::OnnxParserFlags) noexcept override {}
    void setFlag(nvonnxparser::OnnxParserFlag) noexcept override {}

private:
    bool fail(ErrorCode code, const std::string& why, const OnnxGraph* graph = nullptr,
        std::size_t node = 0) {
        auto error = std::make_unique<ParserError>();
        error->mCode = code;
        error->mText = why;
        if (graph != nullptr) {
            error->mNode = static_cast<int>(node);
            error->mNodeName = graph->nodes[node].name;
            error->mOperator = graph->nodes[node].type;
        }
        log(mLogger, Severity::kERROR, "ModelImporter: %s", why.c_str());
        mErrors.push_back(std::move(error));
        return false;
    }

    // Whether TensorRT has tensors of this onnx.TensorProto.DataType.
    static bool type_of(int onnx, nvinfer1::DataType& type) {
        switch (onnx) {
        case 1: type = nvinfer1::DataType::kFLOAT; return true;
        case 6: type = nvinfer1::DataType::kINT32; return true;
        case 7: type = nvinfer1::DataType::kINT64; return true;
        case 10: type = nvinfer1::DataType::kHALF; return true;
        default: return false;
        }
    }

    bool add(const OnnxGraph& graph) {
        for (const OnnxTensor& input : graph.inputs) {
            nvinfer1::DataType type{};
            if (!type_of(input.type, type)) {
                return fail(ErrorCode::kUNSUPPORTED_GRAPH,
                    "Failed to convert ONNX date type of input " + input.name);
            }
            mNetwork.addInput(input.name.c_str(), type, dims_of(input));
        }
        if (graph.inputs.empty()) {
            return fail(ErrorCode::kINVALID_GRAPH, "the graph has no inputs");
        }
        for (std::size_t at = 0; at < graph.nodes.size(); ++at) {
            const OnnxNode& node = graph.nodes[at];
            const bool known = node.domain.empty() || node.domain == "ai.onnx";
            if (!known) {
                log(mLogger, Severity::kINFO,
                    "No importer registered for op: %s. Attempting to import as plugin.",
                    node.type.c_str());
                return fail(ErrorCode::kUNSUPPORTED_NODE,
                    "Plugin not found, are the plugin name, version, and namespace correct?",
                    &graph, at);
            }
            if (!add(graph, node)) {
                return false;
            }
        }
        if (static_cast<std::size_t>(mNetwork.getNbOutputs()) != graph.outputs.size()) {
            return fail(ErrorCode::kINVALID_GRAPH, "an output is computed by no node");
        }
        return true;
    }

    // Adds a layer, with the output of the graph that the node computes, if any.
    bool add(const OnnxGraph& graph, const OnnxNode& node) {
        nvinfer1::DataType type = nvinfer1::DataType::kFLOAT;
        const auto output = std::find_if(
            graph.outputs.begin(), graph.outputs.end(), [&](const OnnxTensor& tensor) {
                return std::find(node.outputs.begin(), node.outputs.end(), tensor.name)
                    != node.outputs.end();
            });
        if (output != graph.outputs.end() && !type_of(output->type, type)) {
            return fail(
                ErrorCode::kUNSUPPORTED_GRAPH, "Failed to convert the type of " + output->name);
        }
        auto* const layer = mNetwork.addCast(*mNetwork.getInput(0), type);
        if (output != graph.outputs.end()) {
            nvinfer1::ITensor& tensor = *layer->getOutput(0);
            tensor.setName(output->name.c_str());
            tensor.setDimensions(dims_of(*output));
            mNetwork.markOutput(tensor);
        }
        return true;
    }

    static nvinfer1::Dims dims_of(const OnnxTensor& tensor) {
        nvinfer1::Dims dims{};
        dims.nbDims = static_cast<std::int32_t>(std::min<std::size_t>(tensor.dims.size(), 8));
        std::copy_n(tensor.dims.begin(), dims.nbDims, dims.d);
        return dims;
    }

    Alive mAlive{"parser"};
    nvinfer1::INetworkDefinition& mNetwork;
    Logger& mLogger;
    bool mUsed{false};
    std::vector<std::unique_ptr<ParserError>> mErrors;
};

} // namespace
} // namespace fake

// The caller's version is ignored, as the real parser of TensorRT-RTX 1.7 does.
API void* createNvOnnxParser_INTERNAL(void* network, void* logger, int) noexcept {
    auto& known = *static_cast<fake::Logger*>(logger);
    if (fake::injected(known, "createNvOnnxParser")) {
        return nullptr;
    }
    return static_cast<nvonnxparser::IParser*>(
        new fake::Parser(*static_cast<nvinfer1::INetworkDefinition*>(network), known));
}

API int getNvOnnxParserVersion() noexcept {
    return NV_ONNX_PARSER_VERSION;
}
