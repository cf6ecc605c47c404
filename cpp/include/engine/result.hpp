// What functions that can fail return: a value, or a code and words. Nothing here throws, but for
// want of memory.
#pragma once

#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 201703L
#error "engine/engine.hpp needs C++17: -std=c++17"
#endif

#include <cstdint>
#include <string>
#include <utility>

#include "engine/engine.h"

namespace engine {
inline namespace v0_1 {

// How a call went.
enum class Code : std::int32_t {
    // Done.
    ok = ENGINE_OK,
    // No frame comes any more: all have been pulled.
    end = ENGINE_END,
    // No frame is ready, or none is due before more rows are pushed.
    not_ready = ENGINE_NOT_READY,
    // The host holds as many frames as it may (Options::held_frames); let go of one.
    exhausted = ENGINE_EXHAUSTED,
    // The run was cancelled.
    cancelled = ENGINE_CANCELLED,
    // An argument is null, of a wrong size, or out of range.
    invalid_argument = ENGINE_INVALID_ARGUMENT,
    // Not now: no run, another run, or inside a callback.
    invalid_state = ENGINE_INVALID_STATE,
    // The headers are of a version that the library does not fit.
    version_mismatch = ENGINE_VERSION_MISMATCH,
    // This machine or this build cannot do it.
    unsupported = ENGINE_UNSUPPORTED,
    // The package or its features cannot be read.
    package = ENGINE_PACKAGE,
    // The network cannot be loaded or failed while it ran.
    backend = ENGINE_BACKEND,
    // No memory or no threads.
    no_resources = ENGINE_NO_RESOURCES,
    // A callback failed.
    callback = ENGINE_CALLBACK,
    // A defect of the library.
    internal = ENGINE_INTERNAL,
};

// The name of a code, such as "EXHAUSTED". Threads: any.
[[nodiscard]] inline const char* name(Code code) noexcept {
    return engine_status_name(static_cast<engine_status>(code));
}

// A code, and what was wrong in words: the file, the field and what was expected.
class [[nodiscard]] Error {
   public:
    Error() = default;
    Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

    [[nodiscard]] Code code() const noexcept { return code_; }
    [[nodiscard]] const std::string& message() const noexcept { return message_; }

   private:
    Code code_ = Code::ok;
    std::string message_;
};

// A value or an error. Looking at the value of an error is no accident waiting to happen: it is an
// empty one (a Frame without pixels, a Pipeline that refuses every call, a 0).
template <class T>
class [[nodiscard]] Result {
   public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : error_(std::move(error)) {}

    [[nodiscard]] bool ok() const noexcept { return error_.code() == Code::ok; }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] Code code() const noexcept { return error_.code(); }
    [[nodiscard]] const std::string& message() const noexcept { return error_.message(); }
    [[nodiscard]] const Error& error() const noexcept { return error_; }

    [[nodiscard]] T& value() & noexcept { return value_; }
    [[nodiscard]] const T& value() const& noexcept { return value_; }
    [[nodiscard]] T&& value() && noexcept { return std::move(value_); }
    [[nodiscard]] T& operator*() & noexcept { return value_; }
    [[nodiscard]] const T& operator*() const& noexcept { return value_; }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(value_); }
    [[nodiscard]] T* operator->() noexcept { return &value_; }
    [[nodiscard]] const T* operator->() const noexcept { return &value_; }

   private:
    Error error_;
    T value_{};
};

// Nothing, or an error.
template <>
class [[nodiscard]] Result<void> {
   public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    [[nodiscard]] bool ok() const noexcept { return error_.code() == Code::ok; }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] Code code() const noexcept { return error_.code(); }
    [[nodiscard]] const std::string& message() const noexcept { return error_.message(); }
    [[nodiscard]] const Error& error() const noexcept { return error_; }

   private:
    Error error_;
};

namespace detail {

// The error of the latest call on this thread.
inline Error error(engine_status status) {
    return Error(static_cast<Code>(status), engine_last_error());
}

inline Result<void> result(engine_status status) {
    if (status != ENGINE_OK) return error(status);
    return {};
}

// `value`, which the call has written where it went well.
template <class T>
Result<T> result(engine_status status, const T& value) {
    if (status != ENGINE_OK) return error(status);
    return value;
}

}  // namespace detail

}  // namespace v0_1
}  // namespace engine
