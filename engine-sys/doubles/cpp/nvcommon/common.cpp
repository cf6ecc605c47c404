#include "nvcommon/common.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace fake {
namespace {

#define TEXT_OF(token) #token
#define TEXT(token) TEXT_OF(token)

std::string formatted(const char* format, va_list arguments) {
    char text[2048];
    std::vsnprintf(text, sizeof text, format, arguments);
    return text;
}

} // namespace

const char* version() {
    return TEXT(NV_TENSORRT_MAJOR) "." TEXT(NV_TENSORRT_MINOR) "." TEXT(NV_TENSORRT_PATCH) "." TEXT(
        NV_TENSORRT_BUILD);
}

void misuse(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const std::string text = formatted(format, arguments);
    va_end(arguments);
    std::fprintf(stderr, "engine-doubles: TensorRT %s %s: %s\n", FLAVOUR, version(), text.c_str());
    std::abort();
}

void unsupported(const char* method) {
    misuse("%s is not part of the fake: give it a body there", method);
}

void log(Logger& logger, Severity severity, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const std::string text = formatted(format, arguments);
    va_end(arguments);
    logger.log(severity, text.c_str());
}

bool injected(Logger& logger, const char* call) {
    const int code = double_call(call);
    if (code != 0) {
        log(logger, Severity::kERROR, "%s failed as the test asked (code %d)", call, code);
    }
    return code != 0;
}

Alive::Alive(const char* kind) : mKind(kind) {
    double_alive(mKind, 1);
    double_event((std::string("create ") + mKind).c_str());
}

Alive::~Alive() {
    double_event((std::string("destroy ") + mKind).c_str());
    double_alive(mKind, -1);
}

} // namespace fake
