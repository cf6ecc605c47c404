// What every part of the fake TensorRT uses: the headers it stands for, logging, counting and
// fault injection.
#pragma once

#include <NvInfer.h>

#include "control/control.h"
#include "stubs.h"

#include <cstdarg>

namespace fake {

#if defined(TRT_MAJOR_RTX)
const constexpr char* FLAVOUR = "rtx";
#elif NV_TENSORRT_MAJOR == 10
const constexpr char* FLAVOUR = "10";
#elif NV_TENSORRT_MAJOR == 11
const constexpr char* FLAVOUR = "11";
#else
#error "the fake TensorRT knows TensorRT 10, TensorRT 11 and TensorRT-RTX"
#endif

using Logger = nvinfer1::ILogger;
using Severity = nvinfer1::ILogger::Severity;

// "10.16.0.72": the version of the headers, which the fake takes for its own.
const char* version();

// Ends the process: the caller broke a rule for which the real library promises nothing.
[[noreturn]] void misuse(const char* format, ...) __attribute__((format(printf, 1, 2)));

void log(Logger& logger, Severity severity, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

// Whether the call of this name must fail now because a test asked for it. Logs that it does.
bool injected(Logger& logger, const char* call);

// Counts an object of a kind while it lives, and records its beginning and its end.
class Alive {
public:
    explicit Alive(const char* kind);
    ~Alive();
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;

private:
    const char* mKind;
};

} // namespace fake
