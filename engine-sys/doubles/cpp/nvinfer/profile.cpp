#include "profile.h"

#include "network.h"

#include <algorithm>

namespace fake {
namespace {

// Whether each dimension of `low` is at most that of `high`, and their ranks are equal.
bool at_most(const Shape& low, const Shape& high) {
    return std::equal(low.begin(), low.end(), high.begin(), high.end(),
        [](std::int64_t left, std::int64_t right) { return left <= right; });
}

bool has_wildcard(const Shape& shape) {
    return std::find(shape.begin(), shape.end(), -1) != shape.end();
}

std::optional<PlanTensor> tensor_of(Logger& logger, const nvinfer1::ITensor& tensor, bool input) {
    const char* const type = name_of(tensor.getType());
    const std::string name = tensor.getName();
    if (type == nullptr || name.empty() || name.find_first_of(" \t\n") != std::string::npos) {
        log(logger, Severity::kERROR, "the fake cannot name the tensor '%s'", name.c_str());
        return std::nullopt;
    }
    return PlanTensor{name, input, type, shape_of(tensor.getDimensions()), {}};
}

// Gives the input its profile, or logs why it cannot have it.
bool set_profile(Logger& logger, PlanTensor& tensor, const Profile& profile) {
    const auto set = profile.inputs().find(tensor.name);
    if (set == profile.inputs().end()) {
        tensor.profile = {tensor.shape, tensor.shape, tensor.shape};
        if (has_wildcard(tensor.shape)) {
            log(logger, Severity::kERROR,
                "Error Code 4: API Usage Error (%s: dynamic input is missing dimensions in profile "
                "0.)",
                tensor.name.c_str());
            return false;
        }
        return true;
    }
    tensor.profile = set->second;
    for (const Shape& shape : tensor.profile) {
        const bool fits = std::equal(shape.begin(), shape.end(), tensor.shape.begin(),
            tensor.shape.end(), [](std::int64_t asked, std::int64_t network) {
                return network == -1 || asked == network;
            });
        if (!fits) {
            log(logger, Severity::kERROR,
                "Error Code 4: API Usage Error (%s: profile 0 does not match network definition "
                "(got min=%s, opt=%s, max=%s), expected %s.)",
                tensor.name.c_str(), text_of(tensor.profile[0]).c_str(),
                text_of(tensor.profile[1]).c_str(), text_of(tensor.profile[2]).c_str(),
                text_of(tensor.shape).c_str());
            return false;
        }
    }
    return true;
}

} // namespace

bool Profile::setDimensions(const char* name, nvinfer1::OptProfileSelector select,
    const nvinfer1::Dims& dims) noexcept {
    const Shape shape = shape_of(dims);
    const bool negative
        = std::any_of(shape.begin(), shape.end(), [](std::int64_t dim) { return dim < 0; });
    if (injected(mLogger, "setDimensions") || name == nullptr || shape.empty() || negative) {
        return false;
    }
    mInputs[name][static_cast<std::size_t>(select)] = shape;
    return true;
}

nvinfer1::Dims Profile::getDimensions(
    const char* name, nvinfer1::OptProfileSelector select) const noexcept {
    const auto set = mInputs.find(name);
    return set == mInputs.end() ? no_dims() : dims_of(set->second[static_cast<std::size_t>(select)]);
}

bool Profile::isValid() const noexcept {
    return std::all_of(mInputs.begin(), mInputs.end(), [](const auto& input) {
        const auto& [min, opt, max] = input.second;
        return !min.empty() && at_most(min, opt) && at_most(opt, max);
    });
}

std::optional<std::vector<PlanTensor>> tensors_of(
    Logger& logger, const Network& network, const Profile* given) {
    const Profile none(logger);
    const Profile& profile = given == nullptr ? none : *given;
    std::vector<PlanTensor> tensors;
    for (std::int32_t at = 0; at < network.getNbInputs(); ++at) {
        auto tensor = tensor_of(logger, *network.getInput(at), true);
        if (!tensor) {
            return std::nullopt;
        }
        if (given == nullptr && has_wildcard(tensor->shape)) {
            log(logger, Severity::kERROR,
                "Error Code 4: API Usage Error (Network has dynamic or shape inputs, but no "
                "optimization profile has been defined.)");
            return std::nullopt;
        }
        if (!set_profile(logger, *tensor, profile)) {
            return std::nullopt;
        }
        tensors.push_back(*tensor);
    }
    for (const auto& input : profile.inputs()) {
        const bool known = std::any_of(tensors.begin(), tensors.end(),
            [&](const PlanTensor& tensor) { return tensor.name == input.first; });
        if (!known) {
            log(logger, Severity::kERROR,
                "Error Code 4: API Usage Error (%s: profile 0 sets an input that the network does "
                "not have.)",
                input.first.c_str());
            return std::nullopt;
        }
    }
    for (std::int32_t at = 0; at < network.getNbOutputs(); ++at) {
        const auto tensor = tensor_of(logger, *network.getOutput(at), false);
        if (!tensor) {
            return std::nullopt;
        }
        tensors.push_back(*tensor);
    }
    return tensors;
}

} // namespace fake
