// The plan file of the fake: text that says which tensors an engine has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fake {

using Shape = std::vector<std::int64_t>;

// "1x6x320x320"
std::string text_of(const Shape& shape);

struct PlanTensor {
    std::string name;
    bool input;
    std::string type; // "f32", "f16", ...
    Shape shape;      // -1 where the size is given at run time
    // The smallest, the best and the largest shape. Inputs only, else empty.
    std::array<Shape, 3> profile;
};

struct Plan {
    std::string flavour;
    std::string version;
    std::string device; // "9.0", or "any"
    bool version_compatible = false;
    bool lean_runtime = false; // the plan carries host code
    int layers = 0;
    std::vector<PlanTensor> tensors;

    const PlanTensor* find(const char* name) const;

    // The same bytes for the same plan.
    std::string text() const;

    // Nothing, and what is wrong in `why`, for bytes that text() did not write.
    static std::optional<Plan> parse(const void* bytes, std::size_t size, std::string& why);
};

// The compute capability that the fake libcuda reports.
std::string device();

} // namespace fake
