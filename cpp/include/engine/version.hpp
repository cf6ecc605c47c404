// The version of the headers, and of the library that the program runs with.
#pragma once

#include <cstdint>

#include "engine/engine.h"
#include "engine/result.hpp"

namespace engine {
inline namespace v0_1 {

// The version of these headers, as ENGINE_MAKE_VERSION makes it: numbers that can be compared.
inline constexpr std::uint32_t header_version = ENGINE_VERSION;

// The version of the library. Threads: any.
[[nodiscard]] inline std::uint32_t library_version() noexcept { return engine_library_version(); }

// Whether the library fits these headers; Code::version_mismatch where it does not. Pipeline::open
// checks this itself. Threads: any.
[[nodiscard]] inline Result<void> check_version() {
    return detail::result(engine_check_version(ENGINE_VERSION));
}

}  // namespace v0_1
}  // namespace engine
