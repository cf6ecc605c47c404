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

    bool setDimensions(char const* name, nvinfer1::OptProfileSelector select,
        nvinfer1::Dims const& dims) noexcept override;
    nvinfer1::Dims getDimensions(
        char const* name, nvinfer1::OptProfileSelector select) const noexcept override;
    bool isValid() const noexcept override;

    std::map<std::string, std::array<Shape, 3>> const& inputs() const { return mInputs; }

private:
    Alive mAlive{"profile"};
    Logger& mLogger;
    std::map<std::string, std::array<Shape, 3>> mInputs;
};

// The tensors of an engine built from the network, or nothing and an error in the log. `profile`
// may be null.
std::optional<std::vector<PlanTensor>> tensors_of(
    Logger& logger, Network const& network, Profile const* profile);

} // namespace fake
