// Network definitions, as far as the fake parser fills them.
#pragma once

#include "objects.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace fake {

class Builder;

class Tensor final : public nvinfer1::ITensor, public nvinfer1::apiv::StubVTensor {
public:
    Tensor(std::string name, nvinfer1::DataType type, const nvinfer1::Dims& dims);

    void setName(const char* name) noexcept override { mName = name; }
    const char* getName() const noexcept override { return mName.c_str(); }
    void setDimensions(const nvinfer1::Dims& dims) noexcept override { mDims = dims; }
    nvinfer1::Dims getDimensions() const noexcept override { return mDims; }
    nvinfer1::DataType getType() const noexcept override { return mType; }

private:
    std::string mName;
    nvinfer1::DataType mType;
    nvinfer1::Dims mDims;
};

// Every node of the ONNX graph becomes one of these: what it computes does not matter here.
class Layer final : public nvinfer1::ICastLayer,
                    public nvinfer1::apiv::StubVLayer,
                    public nvinfer1::apiv::StubVCastLayer {
public:
    explicit Layer(nvinfer1::DataType type);

    nvinfer1::ITensor* getOutput(std::int32_t index) const noexcept override;

private:
    std::unique_ptr<Tensor> mOutput;
};

class Network final : public nvinfer1::INetworkDefinition,
                      public nvinfer1::apiv::StubVNetworkDefinition {
public:
    Network(Builder& builder, nvinfer1::NetworkDefinitionCreationFlags flags);
    ~Network() noexcept override;

    nvinfer1::ITensor* addInput(
        const char* name, nvinfer1::DataType type, const nvinfer1::Dims& dims) noexcept override;
    nvinfer1::ICastLayer* addCast(
        nvinfer1::ITensor& input, nvinfer1::DataType type) noexcept override;
    void markOutput(nvinfer1::ITensor& tensor) noexcept override;
    std::int32_t getNbInputs() const noexcept override;
    std::int32_t getNbOutputs() const noexcept override;
    std::int32_t getNbLayers() const noexcept override;
    nvinfer1::ITensor* getInput(std::int32_t index) const noexcept override;
    nvinfer1::ITensor* getOutput(std::int32_t index) const noexcept override;
    nvinfer1::NetworkDefinitionCreationFlags getFlags() const noexcept override { return mFlags; }
    bool getFlag(nvinfer1::NetworkDefinitionCreationFlag flag) const noexcept override;

    // A parser owns the weights of the network that it filled.
    void parser_created() { ++mParsers; }
    void parser_destroyed() { --mParsers; }
    bool lost_its_parser() const { return !mLayers.empty() && mParsers == 0; }

private:
    Alive mAlive{"network"};
    Builder& mBuilder;
    nvinfer1::NetworkDefinitionCreationFlags mFlags;
    std::vector<std::unique_ptr<Tensor>> mInputs;
    std::vector<std::unique_ptr<Layer>> mLayers;
    std::vector<nvinfer1::ITensor*> mOutputs;
    std::atomic<int> mParsers{0};
};

} // namespace fake
