#include "onnx.h"

#include <algorithm>
#include <set>

namespace fake {
namespace {

struct Bytes {
    const unsigned char* at;
    const unsigned char* end;
};

struct Field {
    std::uint64_t number;
    std::uint64_t value; // of a varint
    Bytes bytes;         // of a length-delimited field, else empty
};

bool read_varint(Bytes& from, std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && from.at < from.end; shift += 7) {
        const std::uint64_t byte = *from.at++;
        value |= (byte & 0x7fU) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

bool read_field(Bytes& from, Field& field) {
    std::uint64_t key = 0;
    if (!read_varint(from, key)) {
        return false;
    }
    field = {key >> 3U, 0, {from.at, from.at}};
    std::uint64_t length = 0;
    switch (key & 7U) {
    case 0: return field.number != 0 && read_varint(from, field.value);
    case 1: length = 8; break;
    case 5: length = 4; break;
    case 2:
        if (!read_varint(from, length)) {
            return false;
        }
        break;
    default: return false;
    }
    if (field.number == 0 || length > static_cast<std::uint64_t>(from.end - from.at)) {
        return false;
    }
    field.bytes = {from.at, from.at + length};
    from.at += length;
    return true;
}

// Calls `visit` for each field until it returns false.
template <typename Visit>
bool each_field(Bytes message, Visit visit) {
    while (message.at < message.end) {
        Field field{};
        if (!read_field(message, field) || !visit(field)) {
            return false;
        }
    }
    return true;
}

std::string text(const Field& field) {
    return std::string(field.bytes.at, field.bytes.end);
}

// TensorShapeProto.Dimension: dim_value 1, dim_param 2.
bool read_dim(Bytes message, std::vector<std::int64_t>& dims) {
    dims.push_back(-1);
    return each_field(message, [&](const Field& field) {
        if (field.number == 1) {
            dims.back() = static_cast<std::int64_t>(field.value);
        }
        return dims.size() <= 8;
    });
}

// TypeProto.Tensor: elem_type 1, shape 2 with its dims in 1.
bool read_tensor_type(Bytes message, OnnxTensor& tensor) {
    return each_field(message, [&](const Field& field) {
        if (field.number == 1) {
            tensor.type = static_cast<int>(field.value);
        }
        return field.number != 2 || each_field(field.bytes, [&](const Field& dim) {
            return dim.number != 1 || read_dim(dim.bytes, tensor.dims);
        });
    });
}

// ValueInfoProto: name 1, type 2 with its tensor_type in 1.
bool read_value(Bytes message, std::vector<OnnxTensor>& values) {
    OnnxTensor tensor;
    const bool whole = each_field(message, [&](const Field& field) {
        if (field.number == 1) {
            tensor.name = text(field);
        }
        return field.number != 2 || each_field(field.bytes, [&](const Field& kind) {
            return kind.number != 1 || read_tensor_type(kind.bytes, tensor);
        });
    });
    values.push_back(tensor);
    return whole;
}

// NodeProto: output 2, name 3, op_type 4, domain 7.
bool read_node(Bytes message, std::vector<OnnxNode>& nodes) {
    OnnxNode node;
    const bool whole = each_field(message, [&](const Field& field) {
        switch (field.number) {
        case 2: node.outputs.push_back(text(field)); break;
        case 3: node.name = text(field); break;
        case 4: node.type = text(field); break;
        case 7: node.domain = text(field); break;
        default: break;
        }
        return true;
    });
    nodes.push_back(node);
    return whole;
}

// GraphProto: node 1, initializer 5 with its name in 8, input 11, output 12.
bool read_graph(Bytes message, OnnxGraph& graph) {
    std::set<std::string> initializers;
    const bool whole = each_field(message, [&](const Field& field) {
        switch (field.number) {
        case 1: return read_node(field.bytes, graph.nodes);
        case 5:
            return each_field(field.bytes, [&](const Field& part) {
                if (part.number == 8) {
                    initializers.insert(text(part));
                }
                return true;
            });
        case 11: return read_value(field.bytes, graph.inputs);
        case 12: return read_value(field.bytes, graph.outputs);
        default: return true;
        }
    });
    const auto is_initializer
        = [&](const OnnxTensor& tensor) { return initializers.count(tensor.name) == 1; };
    graph.inputs.erase(
        std::remove_if(graph.inputs.begin(), graph.inputs.end(), is_initializer),
        graph.inputs.end());
    return whole;
}

} // namespace

// ModelProto: graph 7.
bool read_onnx(const void* bytes, std::size_t size, OnnxGraph& graph) {
    const auto* const first = static_cast<const unsigned char*>(bytes);
    bool found = false;
    return each_field({first, first + size}, [&](const Field& field) {
        found = found || field.number == 7;
        return field.number != 7 || read_graph(field.bytes, graph);
    }) && found;
}

} // namespace fake
