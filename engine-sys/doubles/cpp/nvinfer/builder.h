// The fake builder.
#pragma once

#include "profile.h"

#include <atomic>
#include <memory>
#include <vector>

namespace fake {

class Config;
class Network;

class Builder final : public nvinfer1::IBuilder, public nvinfer1::apiv::StubVBuilder {
public:
    explicit Builder(Logger& logger) : mLogger(logger) { mImpl = this; }
    ~Builder() noexcept override;

    nvinfer1::INetworkDefinition* createNetworkV2(
        nvinfer1::NetworkDefinitionCreationFlags flags) noexcept override;
    nvinfer1::IBuilderConfig* createBuilderConfig() noexcept override;
    nvinfer1::IOptimizationProfile* createOptimizationProfile() noexcept override;
    nvinfer1::IHostMemory* buildSerializedNetwork(nvinfer1::INetworkDefinition& network,
        nvinfer1::IBuilderConfig& config) noexcept override;
    nvinfer1::ILogger* getLogger() const noexcept override { return &mLogger; }

    Logger& logger() const { return mLogger; }

    // Networks and configurations, which must go before the builder does.
    void child_created() { ++mChildren; }
    void child_destroyed() { --mChildren; }

private:
    nvinfer1::IHostMemory* build(const Network& network, const Config& config);

    Alive mAlive{"builder"};
    Logger& mLogger;
    std::atomic<int> mChildren{0};
    std::vector<std::unique_ptr<Profile>> mProfiles;
};

} // namespace fake
