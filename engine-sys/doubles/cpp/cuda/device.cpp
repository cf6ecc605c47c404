// The driver, its one device, and that device's primary context.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "state.h"

using namespace cuda;

namespace {

// The only context there is; its address is the handle.
char context_handle;

thread_local void *current = nullptr;

} // namespace

namespace cuda {

int context_error() {
    State &s = state();
    Lock lock(s.mutex);
    if (!s.initialized) return NOT_INITIALIZED;
    if (!current) return INVALID_CONTEXT;
    return s.context_references > 0 ? SUCCESS : CONTEXT_IS_DESTROYED;
}

} // namespace cuda

API int cuInit(unsigned) {
    ENTER();
    if (setting("ENGINE_DOUBLES_NO_DEVICE", 0)) return NO_DEVICE;
    State &s = state();
    Lock lock(s.mutex);
    s.initialized = true;
    return SUCCESS;
}

API int cuDriverGetVersion(int *version) {
    ENTER();
    *version = static_cast<int>(setting("ENGINE_DOUBLES_DRIVER", 13000));
    return SUCCESS;
}

API int cuDeviceGetCount(int *count) {
    ENTER();
    Lock lock(state().mutex);
    if (!state().initialized) return NOT_INITIALIZED;
    *count = 1;
    return SUCCESS;
}

API int cuDeviceGet(int *device, int ordinal) {
    ENTER();
    Lock lock(state().mutex);
    if (!state().initialized) return NOT_INITIALIZED;
    if (ordinal != 0) return INVALID_DEVICE;
    *device = 0;
    return SUCCESS;
}

API int cuDeviceGetName(char *name, int room, int device) {
    ENTER();
    if (device != 0) return INVALID_DEVICE;
    const char *text = std::getenv("ENGINE_DOUBLES_NAME");
    std::snprintf(name, static_cast<std::size_t>(room), "%s", text ? text : "Engine Double");
    return SUCCESS;
}

API int cuDeviceGetUuid_v2(char *uuid, int device) {
    ENTER();
    if (device != 0) return INVALID_DEVICE;
    std::memcpy(uuid, "engine-double-00", 16);
    return SUCCESS;
}

API int cuDeviceTotalMem_v2(std::size_t *bytes, int device) {
    ENTER();
    if (device != 0) return INVALID_DEVICE;
    *bytes = static_cast<std::size_t>(setting("ENGINE_DOUBLES_MEMORY", 8LL << 30));
    return SUCCESS;
}

API int cuDeviceGetAttribute(int *value, int attribute, int device) {
    ENTER();
    if (device != 0) return INVALID_DEVICE;
    int major = 9, minor = 0;
    if (const char *text = std::getenv("ENGINE_DOUBLES_CC"))
        if (std::sscanf(text, "%d.%d", &major, &minor) != 2)
            double_abort("ENGINE_DOUBLES_CC: \"%s\" is not MAJOR.MINOR", text);
    switch (attribute) {
    case 1: *value = 1024; break;  // threads per block
    case 10: *value = 32; break;   // warp size
    case 16: *value = 1; break;    // multiprocessors
    case 41: *value = 1; break;    // unified addressing
    case 75: *value = major; break;
    case 76: *value = minor; break;
    case 115: *value = 1; break;   // memory pools
    default: *value = 0;
    }
    return SUCCESS;
}

API int cuDevicePrimaryCtxRetain(void **context, int device) {
    ENTER();
    if (device != 0) return INVALID_DEVICE;
    State &s = state();
    Lock lock(s.mutex);
    if (!s.initialized) return NOT_INITIALIZED;
    if (s.context_references++ == 0) double_alive("primary_context", 1);
    *context = &context_handle;
    return SUCCESS;
}

API int cuDevicePrimaryCtxRelease_v2(int device) {
    ENTER_END();
    if (device != 0) return INVALID_DEVICE;
    State &s = state();
    Lock lock(s.mutex);
    if (s.context_references == 0) double_abort("the primary context is released once too often");
    if (--s.context_references == 0) {
        const auto streams = s.streams.live().size();
        const auto events = s.events.live().size();
        const auto graphs = s.graphs.live().size() + s.graph_execs.live().size();
        std::size_t memory = 0;
        for (const auto &entry : s.memory) memory += entry.second->freed ? 0 : 1;
        if (streams + events + graphs + memory > 0)
            double_abort("the context ends before %zu streams, %zu events, %zu graphs and %zu "
                         "pieces of memory in it",
                         streams, events, graphs, memory);
        double_alive("primary_context", -1);
    }
    return wanted;
}

API int cuDevicePrimaryCtxSetFlags_v2(int, unsigned) {
    ENTER();
    return SUCCESS;
}

API int cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) {
    ENTER();
    Lock lock(state().mutex);
    *flags = 0;
    *active = state().context_references > 0;
    return SUCCESS;
}

API int cuCtxSetCurrent(void *context) {
    ENTER();
    Lock lock(state().mutex);
    if (!state().initialized) return NOT_INITIALIZED;
    if (context && context != &context_handle) return INVALID_CONTEXT;
    if (context && state().context_references == 0) return CONTEXT_IS_DESTROYED;
    current = context;
    return SUCCESS;
}

API int cuCtxGetCurrent(void **context) {
    ENTER();
    Lock lock(state().mutex);
    if (!state().initialized) return NOT_INITIALIZED;
    *context = current;
    return SUCCESS;
}

API int cuCtxGetDevice(int *device) {
    ENTER();
    NEED_CONTEXT();
    *device = 0;
    return SUCCESS;
}

API int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    ENTER();
    NEED_CONTEXT();
    *least = *greatest = 0;
    return SUCCESS;
}

API int cuCtxSetFlags(unsigned) {
    ENTER();
    NEED_CONTEXT();
    return SUCCESS;
}

API int cuCtxSynchronize(void) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    if (const int forbidden = forbidden_while_capturing()) return forbidden;
    for (const auto &stream : s.streams.live()) drain(lock, stream);
    if (s.default_stream) drain(lock, s.default_stream);
    return SUCCESS;
}
