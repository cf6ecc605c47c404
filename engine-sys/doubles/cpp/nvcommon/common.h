// What every part of the fake TensorRT uses: the headers it stands for, logging, counting and
// fault injection.
#pragma once

#include <NvInfer.h>

#include "control/control.h"
#include "stubs.h"

#include <cstdarg>

namespace fake {

#if defined(TRT_MAJOR_RTX)
constexpr char const* FLAVOUR = "rtx";
#elif NV_TENSORRT_MAJOR == 10
constexpr char const* FLAVOUR = "10";
#elif NV_TENSORRT_MAJOR == 11
constexpr char const* FLAVOUR = "11";
#else
#error "the fake TensorRT knows TensorRT 10, TensorRT 11 and TensorRT-RTX"
#endif

using Logger = nvinfer1::ILogger;
using Severity = nvinfer1::ILogger::Severity;

// "10.16.0.72": the version of the headers, which the fake takes for its own.
char const* version();

// Ends the process: the caller broke a rule for which the real library promises nothing.
[[noreturn]] void misuse(char const* format, ...) __attribute__((format(printf, 1, 2)));

void log(Logger& logger, Severity severity, char const* format, ...)
    __attribute__((format(printf, 3, 4)));

// Whether the call of this name must fail now because a test asked for it. Logs that it does.
bool injected(Logger& logger, char const* call);

// Counts an object of a kind while it lives, and records its beginning and its end.
class Alive {
public:
    explicit Alive(char const* kind);
    ~Alive();
    Alive(Alive const&) = delete;
    Alive& operator=(Alive const&) = delete;

private:
    char const* mKind;
};

} // namespace fake
