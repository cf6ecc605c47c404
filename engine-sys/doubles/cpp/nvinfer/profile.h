// Optimization profiles, and whether one fits a network.
#pragma once

#include "objects.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fake {

class Network;

class Profile final : public nvinfer1::IOptimizationProfile,
                      public nvinfer1::apiv::StubVOptimizationProfile {
public:
    explicit Profile(Logger& logger) : mLogger(logger) { mImpl = this; }

    bool setDimensions(const char* name, nvinfer1::OptProfileSelector select,
        const nvinfer1::Dims& dims) noexcept override;
    nvinfer1::Dims getDimensions(
        const char* name, nvinfer1::OptProfileSelector select) const noexcept override;
    bool isValid() const noexcept override;

    const std::map<std::string, std::array<Shape, 3>>& inputs() const { return mInputs; }

private:
    Alive mAlive{"profile"};
    Logger& mLogger;
    std::map<std::string, std::array<Shape, 3>> mInputs;
};

// The tensors of an engine built from the network, or nothing and an error in the log. `profile`
// may be null.
std::optional<std::vector<PlanTensor>> tensors_of(
    Logger& logger, const Network& network, const Profile* profile);

} // namespace fake
