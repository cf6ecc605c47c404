// The one network that the fake computes.
#pragma once

#include <cstddef>

namespace fake {

constexpr std::size_t AUDIO_VALUES = 32 * 16 * 16;

// output = 0.5 * input[:, 0:3] + 0.25 * input[:, 3:6] + 0.125 * mean(audio > 0.5), where input is
// frames x 6 x plane, audio frames x 8192 and output frames x 3 x plane. The order of the
// operations is that of the sample network `probe`, so the bytes are those of any other runtime.
void probe(const float* input, const float* audio, float* output, std::size_t frames,
    std::size_t plane);

} // namespace fake
