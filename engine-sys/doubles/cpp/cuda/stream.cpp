// Streams: a thread each, doing one operation after the other.
#include <algorithm>
#include <string>

#include "launch.h"
#include "state.h"

using namespace cuda;

namespace {

void work(const std::shared_ptr<Stream> stream) {
    State &s = state();
    Lock lock(s.mutex);
    for (;;) {
        s.changed.wait(lock, [&] { return !stream->queue.empty() || stream->ended; });
        if (stream->queue.empty()) return;
        Operation operation = std::move(stream->queue.front());
        stream->queue.pop_front();
        stream->busy = true;
        if (operation.awaits)
            s.changed.wait(lock, [&] { return operation.awaits->reached >= operation.until; });
        lock.unlock();
        const std::string line = "stream " + std::to_string(stream->number) + " ";
        double_begin(operation.name);
        double_event((line + "begin " + operation.name).c_str());
        if (operation.work) operation.work();
        double_event((line + "end " + operation.name).c_str());
        double_end(operation.name);
        lock.lock();
        for (const auto &use : operation.uses) --use->uses;
        if (const auto &event = operation.records) {
            event->reached = std::max(event->reached, operation.ticket);
            event->time = std::chrono::steady_clock::now();
        }
        stream->busy = false;
        s.changed.notify_all();
    }
}

} // namespace

namespace cuda {

std::shared_ptr<Stream> make_stream() {
    auto stream = std::make_shared<Stream>();
    stream->number = double_number("stream");
    std::thread(work, stream).detach();
    return stream;
}

std::shared_ptr<Stream> find_stream(void *handle) {
    State &s = state();
    if (reinterpret_cast<std::uintptr_t>(handle) > 2) return s.streams.find(handle);
    if (!s.default_stream) s.default_stream = make_stream();
    return s.default_stream;
}

int submit(const std::shared_ptr<Stream> &stream, Operation operation) {
    if (stream->capture) {
        if (stream->capture->invalid) return STREAM_CAPTURE_INVALIDATED;
        stream->capture->operations.push_back(std::move(operation));
        return SUCCESS;
    }
    for (const auto &use : operation.uses) {
        if (use->freed) double_abort("an operation is queued on memory that was freed");
        ++use->uses;
    }
    if (operation.records) operation.ticket = ++operation.records->issued;
    stream->queue.push_back(std::move(operation));
    state().changed.notify_all();
    return SUCCESS;
}

void drain(Lock &lock, const std::shared_ptr<Stream> &stream) {
    state().changed.wait(lock, [&] { return stream->queue.empty() && !stream->busy; });
}

int forbidden_while_capturing() {
    int result = SUCCESS;
    for (const auto &stream : state().streams.live()) {
        Capture *capture = stream->capture.get();
        constexpr int RELAXED = 2;
        if (!capture || capture->mode == RELAXED) continue;
        if (capture->mode == 1 && capture->thread != std::this_thread::get_id()) continue;
        capture->invalid = true;
        result = STREAM_CAPTURE_UNSUPPORTED;
    }
    return result;
}

} // namespace cuda

API int cuStreamCreate(void **handle, unsigned) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    *handle = s.streams.add(make_stream());
    return SUCCESS;
}

API int cuStreamCreateWithPriority(void **handle, unsigned, int) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    *handle = s.streams.add(make_stream());
    return SUCCESS;
}

// What is queued is still done, as with the driver.
API int cuStreamDestroy_v2(void *handle) {
    ENTER_END();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto stream = s.streams.end(handle);
    if (!stream) return INVALID_HANDLE;
    stream->ended = true;
    s.changed.notify_all();
    return wanted;
}

API int cuStreamSynchronize(void *handle) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) {
        stream->capture->invalid = true;
        return STREAM_CAPTURE_UNSUPPORTED;
    }
    drain(lock, stream);
    return SUCCESS;
}

API int cuStreamQuery(void *handle) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    return stream->queue.empty() && !stream->busy ? SUCCESS : NOT_READY;
}

API int cuStreamWaitEvent(void *handle, void *event_handle, unsigned) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto stream = find_stream(handle);
    const auto event = s.events.find(event_handle);
    if (!stream || !event) return INVALID_HANDLE;
    // Joining another stream's capture is more than these tests need.
    if (event->captured) return NOT_SUPPORTED;
    return submit(stream, {"wait", nullptr, {}, nullptr, 0, event, event->issued});
}

API int cuLaunchHostFunc(void *handle, void (*function)(void *), void *data) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    return submit(stream, {"host", [=] { function(data); }, {}, nullptr, 0, nullptr, 0});
}

// Not of the driver: as cuLaunchHostFunc, naming the device memory that the function touches, so
// that freeing it too early is noticed.
API int double_launch(void *handle, void (*function)(void *), void *data,
                      const std::uint64_t *addresses, const std::size_t *bytes,
                      std::size_t count) {
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    Operation operation{"host", [=] { function(data); }, {}, nullptr, 0, nullptr, 0};
    for (std::size_t i = 0; i < count; ++i) {
        auto memory = find_memory(addresses[i], bytes[i], false);
        if (!memory) return INVALID_VALUE;
        operation.uses.push_back(std::move(memory));
    }
    return submit(stream, std::move(operation));
}
