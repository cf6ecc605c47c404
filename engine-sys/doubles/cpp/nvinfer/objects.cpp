#include "objects.h"

namespace fake {
namespace {

struct Named {
    nvinfer1::DataType type;
    const char* name;
};

constexpr Named TYPES[] = {
    {nvinfer1::DataType::kFLOAT, "f32"},
    {nvinfer1::DataType::kHALF, "f16"},
    {nvinfer1::DataType::kINT8, "i8"},
    {nvinfer1::DataType::kINT32, "i32"},
    {nvinfer1::DataType::kINT64, "i64"},
    {nvinfer1::DataType::kBOOL, "bool"},
    {nvinfer1::DataType::kBF16, "bf16"},
};

} // namespace

Shape shape_of(const nvinfer1::Dims& dims) {
    if (dims.nbDims < 0 || dims.nbDims > nvinfer1::Dims::MAX_DIMS) {
        return {};
    }
    return Shape(dims.d, dims.d + dims.nbDims);
}

nvinfer1::Dims dims_of(const Shape& shape) {
    nvinfer1::Dims dims{};
    dims.nbDims = static_cast<std::int32_t>(shape.size());
    for (std::size_t at = 0; at < shape.size(); ++at) {
        dims.d[at] = shape[at];
    }
    return dims;
}

nvinfer1::Dims no_dims() {
    nvinfer1::Dims dims{};
    dims.nbDims = -1;
    return dims;
}

const char* name_of(nvinfer1::DataType type) {
    for (const Named& known : TYPES) {
        if (known.type == type) {
            return known.name;
        }
    }
    return nullptr;
}

bool type_named(const std::string& name, nvinfer1::DataType& type) {
    for (const Named& known : TYPES) {
        if (name == known.name) {
            type = known.type;
            return true;
        }
    }
    return false;
}

} // namespace fake
