// Capture of a stream into a graph, and its replay.
#include "state.h"

using namespace cuda;

API int cuStreamBeginCapture_v2(void *handle, int mode) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    // The default stream cannot be captured.
    if (reinterpret_cast<std::uintptr_t>(handle) <= 2) return STREAM_CAPTURE_UNSUPPORTED;
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) return ILLEGAL_STATE;
    stream->capture.reset(new Capture);
    stream->capture->thread = std::this_thread::get_id();
    stream->capture->mode = mode;
    return SUCCESS;
}

API int cuStreamEndCapture(void *handle, void **graph) {
    ENTER_END();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    *graph = nullptr;
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    if (!stream->capture) return ILLEGAL_STATE;
    constexpr int RELAXED = 2;
    if (stream->capture->mode != RELAXED &&
        stream->capture->thread != std::this_thread::get_id())
        return STREAM_CAPTURE_WRONG_THREAD;
    const std::unique_ptr<Capture> capture = std::move(stream->capture);
    if (wanted) return wanted;
    if (capture->invalid) return STREAM_CAPTURE_INVALIDATED;
    auto made = std::make_shared<Graph>();
    made->operations = std::move(capture->operations);
    *graph = s.graphs.add(made);
    return SUCCESS;
}

API int cuStreamIsCapturing(void *handle, int *status) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    *status = !stream->capture ? 0 : stream->capture->invalid ? 2 : 1;
    return SUCCESS;
}

API int cuThreadExchangeStreamCaptureMode(int *mode) {
    ENTER();
    static thread_local int current = 0;
    std::swap(*mode, current);
    return SUCCESS;
}

API int cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto source = s.graphs.find(graph);
    if (!source) return INVALID_HANDLE;
    *exec = s.graph_execs.add(std::make_shared<Graph>(*source));
    return SUCCESS;
}

API int cuGraphUpload(void *exec, void *handle) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    return s.graph_execs.find(exec) && find_stream(handle) ? SUCCESS : INVALID_HANDLE;
}

API int cuGraphLaunch(void *exec, void *handle) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto graph = s.graph_execs.find(exec);
    const auto stream = find_stream(handle);
    if (!graph || !stream) return INVALID_HANDLE;
    // Child graphs are more than these tests need.
    if (stream->capture) return NOT_SUPPORTED;
    for (const Operation &operation : graph->operations)
        if (const int failed = submit(stream, operation)) return failed;
    return SUCCESS;
}

API int cuGraphExecDestroy(void *exec) {
    ENTER_END();
    NEED_CONTEXT();
    Lock lock(state().mutex);
    if (!state().graph_execs.end(exec)) return INVALID_HANDLE;
    return wanted;
}

API int cuGraphDestroy(void *graph) {
    ENTER_END();
    NEED_CONTEXT();
    Lock lock(state().mutex);
    if (!state().graphs.end(graph)) return INVALID_HANDLE;
    return wanted;
}
