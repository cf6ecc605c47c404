// The symbols that libnvinfer exports.

#include "builder.h"
#include "engine.h"

#include <cstdlib>

#define API extern "C" __attribute__((visibility("default")))

namespace {

// The real library crashes where the caller's headers are of another major version.
void check_caller(const char* function, void* logger, std::int32_t caller) {
    if (caller / 10000 != NV_TENSORRT_MAJOR) {
        fake::misuse("%s was called for the version number %d", function, caller);
    }
    if (logger == nullptr) {
        fake::misuse("%s was called without a logger", function);
    }
}

} // namespace

API std::int32_t getInferLibMajorVersion() noexcept {
    return NV_TENSORRT_MAJOR;
}

API std::int32_t getInferLibMinorVersion() noexcept {
    return NV_TENSORRT_MINOR;
}

API std::int32_t getInferLibPatchVersion() noexcept {
    return NV_TENSORRT_PATCH;
}

API std::int32_t getInferLibBuildVersion() noexcept {
    return NV_TENSORRT_BUILD;
}

API std::int32_t getInferLibVersion() noexcept {
    return static_cast<std::int32_t>(NV_TENSORRT_VERSION);
}

API nvinfer1::ILogger* getLogger() noexcept {
    return nullptr;
}

API void* createInferBuilder_INTERNAL(void* logger, std::int32_t caller) noexcept {
    check_caller("createInferBuilder_INTERNAL", logger, caller);
    auto& known = *static_cast<fake::Logger*>(logger);
    if (fake::injected(known, "createInferBuilder")) {
        return nullptr;
    }
    return static_cast<nvinfer1::IBuilder*>(new fake::Builder(known));
}

API void* createInferRuntime_INTERNAL(void* logger, std::int32_t caller) noexcept {
    check_caller("createInferRuntime_INTERNAL", logger, caller);
    auto& known = *static_cast<fake::Logger*>(logger);
    // The real library gives a small number on a machine without a driver: so does a fault of that
    // code, which nobody may take for an object.
    if (const int code = fake::injected(known, "createInferRuntime"); code != 0) {
        return reinterpret_cast<void*>(std::uintptr_t{code == 0x228 ? 0x228U : 0U});
    }
    if (std::getenv("ENGINE_DOUBLES_BOGUS_RUNTIME") != nullptr) {
        return reinterpret_cast<void*>(std::uintptr_t{0x228});
    }
    return static_cast<nvinfer1::IRuntime*>(new fake::Runtime(known));
}
