// As much of the ONNX file format as a fake parser needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fake {

struct OnnxTensor {
    std::string name;
    int type = 0;                   // onnx.TensorProto.DataType
    std::vector<std::int64_t> dims; // -1 for a name or nothing
};

struct OnnxNode {
    std::string name;
    std::string type;
    std::string domain;
    std::vector<std::string> outputs;
};

struct OnnxGraph {
    std::vector<OnnxTensor> inputs; // without initializers
    std::vector<OnnxTensor> outputs;
    std::vector<OnnxNode> nodes;
};

// False for bytes that are not a protobuf message with a graph.
bool read_onnx(const void* bytes, std::size_t size, OnnxGraph& graph);

} // namespace fake
