// What does not depend on a flavour, and the choice between them.
#include "shim.h"

#include <stdexcept>
#include <string>

#include "engine-sys/src/ffi.rs.h"
#include "flavours.h"
#include "loader.h"

namespace shim {

Version library_version(rust::Str path) {
    const SharedObject library{std::string(path)};
    const auto part = [&](const char* name) {
        const std::int32_t value = library.require<std::int32_t() noexcept>(name)();
        return value < 0 ? 0U : static_cast<std::uint32_t>(value);
    };
    return Version{part("getInferLibMajorVersion"), part("getInferLibMinorVersion"),
                   part("getInferLibPatchVersion"), part("getInferLibBuildVersion")};
}

// Without any headers there is nothing to open.
std::unique_ptr<Library> open_library(std::uint8_t flavour, [[maybe_unused]] rust::Str path,
                                      [[maybe_unused]] rust::Box<LogSink> log) {
    switch (flavour) {
#ifdef SHIM_WITH_10
        case 10: return flavour_10::open(std::string(path), std::move(log));
#endif
#ifdef SHIM_WITH_11
        case 11: return flavour_11::open(std::string(path), std::move(log));
#endif
#ifdef SHIM_WITH_RTX
        case 1: return flavour_rtx::open(std::string(path), std::move(log));
#endif
        default: throw std::runtime_error("this build has no shim for that flavour of TensorRT");
    }
}

Version header_version(std::uint8_t flavour) {
    switch (flavour) {
#ifdef SHIM_WITH_10
        case 10: return flavour_10::headers();
#endif
#ifdef SHIM_WITH_11
        case 11: return flavour_11::headers();
#endif
#ifdef SHIM_WITH_RTX
        case 1: return flavour_rtx::headers();
#endif
        default: return Version{0, 0, 0, 0};
    }
}

}  // namespace shim
