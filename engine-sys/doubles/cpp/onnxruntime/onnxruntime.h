// As much of ONNX Runtime's C interface as the stand-in needs: a table of functions, whose positions
// never change, and handles.
#pragma once

#include "positions.h"

#include <cstddef>
#include <cstdint>

namespace fake {

// nullptr where nothing failed.
using Status = void*;
using Function = void (*)();

struct ApiBase {
    const void* (*get_api)(std::uint32_t version);
    const char* (*get_version)();
};

constexpr int ORT_FAIL = 1;

using CreateStatus = Status(int code, const char* message);
using GetErrorMessage = const char*(const void* status);
using RunFunction = Status(void* session, const void* options, const char* const* input_names,
    const void* const* inputs, std::size_t input_count, const char* const* output_names,
    std::size_t output_count, void** outputs);

} // namespace fake
