// How the host's functions are called from C: exceptions end here.
#pragma once

#include <exception>
#include <type_traits>

#include "engine/engine.h"
#include "engine/frame.hpp"
#include "engine/result.hpp"

namespace engine {
inline namespace v0_1 {
namespace detail {

// Calls `body`; an exception becomes a status and the error's words.
template <class Body>
engine_status contained(Body&& body) noexcept {
#if defined(__cpp_exceptions)
    try {
        body();
        return ENGINE_OK;
    } catch (const std::exception& exception) {
        engine_set_callback_error(exception.what());
    } catch (...) {
        engine_set_callback_error("it threw something that is no std::exception");
    }
    return ENGINE_CALLBACK;
#else
    body();
    return ENGINE_OK;
#endif
}

// An engine_frame_callback whose `user` is a `Function`, which takes a const FrameView& and returns
// nothing or a Result<void>.
template <class Function>
engine_status call_frame(void* user, const engine_frame_view* raw) noexcept {
    static_assert(std::is_invocable_v<Function&, const FrameView&>,
                  "a frame callback takes a const engine::FrameView&");
    using Returned = std::invoke_result_t<Function&, const FrameView&>;
    static_assert(std::is_void_v<Returned> || std::is_same_v<Returned, Result<void>>,
                  "a frame callback returns nothing or an engine::Result<void>");
    engine_status status = ENGINE_OK;
    const engine_status thrown = contained([&] {
        const FrameView view(*raw);
        Function& function = *static_cast<Function*>(user);
        if constexpr (std::is_void_v<Returned>) {
            function(view);
        } else {
            const Result<void> result = function(view);
            status = static_cast<engine_status>(result.code());
            if (!result) engine_set_callback_error(result.message().c_str());
        }
    });
    return thrown == ENGINE_OK ? status : thrown;
}

}  // namespace detail
}  // namespace v0_1
}  // namespace engine
