// Plans without a builder, for tests.

#include "plan.h"
#include "nvcommon/common.h"

#include <algorithm>
#include <cstring>

// Writes the plan that the builder makes of the sample network `probe` with the side and the
// batches. Returns its length; at most `room` bytes are copied.
extern "C" __attribute__((visibility("default"))) std::size_t double_probe_plan(std::int64_t side,
    std::int64_t min, std::int64_t opt, std::int64_t max, char* bytes, std::size_t room) {
    constexpr int LAYERS = 10;
    fake::Plan plan;
    plan.flavour = fake::FLAVOUR;
    plan.version = fake::version();
    plan.device = plan.flavour == "rtx" ? "any" : fake::device();
    plan.layers = LAYERS;
    plan.tensors = {
        {"input", true, "f32", {-1, 6, side, side},
            {{{min, 6, side, side}, {opt, 6, side, side}, {max, 6, side, side}}}},
        {"audio", true, "f32", {-1, 32, 16, 16},
            {{{min, 32, 16, 16}, {opt, 32, 16, 16}, {max, 32, 16, 16}}}},
        {"output", false, "f32", {-1, 3, side, side}, {}},
    };
    const std::string text = plan.text();
    std::memcpy(bytes, text.data(), std::min(text.size(), room));
    return text.size();
}
