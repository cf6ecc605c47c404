// Helpers shared by the builder's and the runtime's objects.
#pragma once

#include "nvcommon/common.h"
#include "plan.h"

#include <string>

namespace fake {

// Empty for a negative rank or more than MAX_DIMS dimensions.
Shape shape_of(const nvinfer1::Dims& dims);
nvinfer1::Dims dims_of(const Shape& shape);

// What TensorRT answers where there is no shape.
nvinfer1::Dims no_dims();

// "f32"; nullptr, or false, for a type that the fake has no tensors of.
const char* name_of(nvinfer1::DataType type);
bool type_named(const std::string& name, nvinfer1::DataType& type);

class HostMemory final : public nvinfer1::IHostMemory, public nvinfer1::apiv::StubVHostMemory {
public:
    explicit HostMemory(std::string bytes) : mBytes(std::move(bytes)) { mImpl = this; }

    void* data() const noexcept override { return const_cast<char*>(mBytes.data()); }
    std::size_t size() const noexcept override { return mBytes.size(); }
    nvinfer1::DataType type() const noexcept override { return nvinfer1::DataType::kINT8; }

private:
    Alive mAlive{"host_memory"};
    std::string mBytes;
};

} // namespace fake
