// Events, on the real clock.
#include "state.h"

using namespace cuda;

namespace {

constexpr unsigned DISABLE_TIMING = 2;
constexpr unsigned RECORD_EXTERNAL = 1;

int record(void *event_handle, void *stream_handle, unsigned flags) {
    State &s = state();
    Lock lock(s.mutex);
    const auto event = s.events.find(event_handle);
    const auto stream = find_stream(stream_handle);
    if (!event || !stream) return INVALID_HANDLE;
    if (stream->capture && !(flags & RECORD_EXTERNAL)) {
        // Marks a place in the graph and records nothing.
        event->captured = true;
        return SUCCESS;
    }
    if (!stream->capture) event->captured = false;
    return submit(stream, {"record", nullptr, {}, event, 0, nullptr, 0});
}

} // namespace

API int cuEventCreate(void **handle, unsigned flags) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    auto event = std::make_shared<Event>();
    event->number = double_number("event");
    event->flags = flags;
    *handle = s.events.add(event);
    return SUCCESS;
}

// An event may end before what it records is reached.
API int cuEventDestroy_v2(void *handle) {
    ENTER_END();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    if (!s.events.end(handle)) return INVALID_HANDLE;
    return wanted;
}

API int cuEventRecord(void *event, void *stream) {
    ENTER();
    NEED_CONTEXT();
    return record(event, stream, 0);
}

API int cuEventRecordWithFlags(void *event, void *stream, unsigned flags) {
    ENTER();
    NEED_CONTEXT();
    return record(event, stream, flags);
}

API int cuEventQuery(void *handle) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto event = s.events.find(handle);
    if (!event) return INVALID_HANDLE;
    if (event->captured) return CAPTURED_EVENT;
    return event->reached == event->issued ? SUCCESS : NOT_READY;
}

API int cuEventSynchronize(void *handle) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto event = s.events.find(handle);
    if (!event) return INVALID_HANDLE;
    if (event->captured) return CAPTURED_EVENT;
    const unsigned long until = event->issued;
    s.changed.wait(lock, [&] { return event->reached >= until; });
    return SUCCESS;
}

namespace {

int elapsed(float *milliseconds, void *start_handle, void *end_handle) {
    State &s = state();
    Lock lock(s.mutex);
    const auto start = s.events.find(start_handle);
    const auto end = s.events.find(end_handle);
    if (!start || !end) return INVALID_HANDLE;
    for (const auto &event : {start, end}) {
        if (event->captured) return CAPTURED_EVENT;
        if (event->flags & DISABLE_TIMING || event->issued == 0) return INVALID_HANDLE;
        if (event->reached != event->issued) return NOT_READY;
    }
    const std::chrono::duration<float, std::milli> between = end->time - start->time;
    *milliseconds = between.count();
    return SUCCESS;
}

} // namespace

API int cuEventElapsedTime(float *milliseconds, void *start, void *end) {
    ENTER();
    NEED_CONTEXT();
    return elapsed(milliseconds, start, end);
}

API int cuEventElapsedTime_v2(float *milliseconds, void *start, void *end) {
    ENTER();
    NEED_CONTEXT();
    return elapsed(milliseconds, start, end);
}
