// Lines that the library logs.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "engine/detail/callback.hpp"
#include "engine/engine.h"

namespace engine {
inline namespace v0_1 {

// How much a line matters.
enum class LogLevel : std::int32_t {
    // What was found and chosen.
    info = ENGINE_LOG_INFO,
    // Something works, but not as it could.
    warning = ENGINE_LOG_WARNING,
};

// Takes a line, without an end of line, valid during the call. Calls come from any thread, several
// at the same time; an exception ends at the call.
using Logger = std::function<void(LogLevel, std::string_view)>;

// Sets what takes the lines that the library logs, for the whole process; an empty function takes
// none. The logger before is destroyed when its last call has returned. Threads: any.
inline void set_logger(Logger logger) {
    if (!logger) {
        engine_set_logger(nullptr, nullptr, nullptr);
        return;
    }
    engine_set_logger(
        [](void* user, std::int32_t level, const char* line) noexcept {
            (void)detail::contained([&] {
                (*static_cast<Logger*>(user))(static_cast<LogLevel>(level), line);
            });
        },
        new Logger(std::move(logger)),
        [](void* user) noexcept { delete static_cast<Logger*>(user); });
}

}  // namespace v0_1
}  // namespace engine
