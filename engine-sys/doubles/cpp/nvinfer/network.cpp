#include "network.h"

#include "builder.h"

namespace fake {

using nvinfer1::ITensor;

Tensor::Tensor(std::string name, nvinfer1::DataType type, const nvinfer1::Dims& dims)
    : mName(std::move(name)), mType(type), mDims(dims) {
    mImpl = this;
}

Layer::Layer(nvinfer1::DataType type) : mOutput(new Tensor("", type, no_dims())) {
    mLayer = this;
    mImpl = this;
}

ITensor* Layer::getOutput(std::int32_t index) const noexcept {
    return index == 0 ? mOutput.get() : nullptr;
}

Network::Network(Builder& builder, nvinfer1::NetworkDefinitionCreationFlags flags)
    : mBuilder(builder), mFlags(flags) {
    mImpl = this;
    mBuilder.child_created();
}

Network::~Network() noexcept {
    if (mParsers != 0) {
        misuse("a network is destroyed while its parser lives");
    }
    mBuilder.child_destroyed();
}

ITensor* Network::addInput(
    const char* name, nvinfer1::DataType type, const nvinfer1::Dims& dims) noexcept {
    mInputs.push_back(std::make_unique<Tensor>(name, type, dims));
    return mInputs.back().get();
}

nvinfer1::ICastLayer* Network::addCast(ITensor&, nvinfer1::DataType type) noexcept {
    mLayers.push_back(std::make_unique<Layer>(type));
    return mLayers.back().get();
}

void Network::markOutput(ITensor& tensor) noexcept {
    mOutputs.push_back(&tensor);
}

std::int32_t Network::getNbInputs() const noexcept {
    return static_cast<std::int32_t>(mInputs.size());
}

std::int32_t Network::getNbOutputs() const noexcept {
    return static_cast<std::int32_t>(mOutputs.size());
}

std::int32_t Network::getNbLayers() const noexcept {
    return static_cast<std::int32_t>(mLayers.size());
}

ITensor* Network::getInput(std::int32_t index) const noexcept {
    const auto at = static_cast<std::size_t>(index);
    return at < mInputs.size() ? mInputs[at].get() : nullptr;
}

ITensor* Network::getOutput(std::int32_t index) const noexcept {
    const auto at = static_cast<std::size_t>(index);
    return at < mOutputs.size() ? mOutputs[at] : nullptr;
}

bool Network::getFlag(nvinfer1::NetworkDefinitionCreationFlag flag) const noexcept {
    return (mFlags >> static_cast<std::uint32_t>(flag) & 1U) != 0;
}

} // namespace fake

// For the fake parser, which is a library of its own. The network is one of this library.
extern "C" __attribute__((visibility("default"))) void double_parser_created(
    nvinfer1::INetworkDefinition* network) {
    static_cast<fake::Network*>(network)->parser_created();
}

extern "C" __attribute__((visibility("default"))) void double_parser_destroyed(
    nvinfer1::INetworkDefinition* network) {
    static_cast<fake::Network*>(network)->parser_destroyed();
}
