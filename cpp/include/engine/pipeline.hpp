// Turns feature rows into frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/detail/callback.hpp"
#include "engine/engine.h"
#include "engine/frame.hpp"
#include "engine/options.hpp"
#include "engine/result.hpp"
#include "engine/statistics.hpp"

namespace engine {
inline namespace v0_1 {

// Where the rows of a run come from.
enum class Speech : std::int32_t {
    // The package's own, aud_ave.npy.
    package = ENGINE_SPEECH_PACKAGE,
    // push(), until close_input(). A frame is made once the seven rows after its own are there or
    // the input is closed.
    pushed = ENGINE_SPEECH_PUSHED,
};

// Floats in a feature row.
inline constexpr std::size_t row_length = 512;

// A package and a network, ready to render. It is idle when it is opened, busy from start() until
// wait() has returned, and idle again then, for any number of runs; each begins with frame 0.
//
// Frames come to a callback or are pulled. A callback takes a const FrameView& and returns nothing,
// or a Result<void> whose error ends the run; so does an exception. It is called with one frame
// after the other, in order, from a thread of the library's. It may push, cancel and destroy the
// pipeline, and must not wait for it.
//
// Threads: functions may be called from several threads at the same time, but for what moves or
// ends the object itself: the constructors, the assignments, close() and the destructor. Functions
// that wait say so. A pipeline that is none (default constructed, moved from, closed) refuses every
// call with Code::invalid_argument.
class Pipeline {
   public:
    // No pipeline.
    Pipeline() noexcept = default;
    // Takes a pipeline that a C function gave.
    explicit Pipeline(engine_pipeline* handle) noexcept : handle_(handle) {}
    Pipeline(Pipeline&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Pipeline& operator=(Pipeline&& other) noexcept {
        if (this != &other) {
            close();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    ~Pipeline() { close(); }

    // Opens the package in a folder. Takes as long as loading the network and, where they are kept
    // in RAM, decoding the package's frames takes.
    [[nodiscard]] static Result<Pipeline> open(const std::string& package,
                                               const Options& options = {}) {
        const Result<engine_options> raw = detail::c_options(options);
        if (!raw) return raw.error();
        engine_pipeline* handle = nullptr;
        const engine_status status = engine_pipeline_open(package.c_str(), &*raw, &handle);
        if (status != ENGINE_OK) return detail::error(status);
        return Pipeline(handle);
    }

    // Cancels the run that is under way, waits for its end, and frees the pipeline, which is none
    // then. Frames that are held stay valid. Functions that wait in other threads return
    // Code::cancelled. Inside a callback it does not wait: the run ends after the callback has
    // returned.
    void close() noexcept { engine_pipeline_destroy(&handle_); }

    // Whether there is a pipeline.
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    // The same for C; this object stays the owner.
    [[nodiscard]] engine_pipeline* handle() const noexcept { return handle_; }

    // What the pipeline is.
    [[nodiscard]] Result<Info> info() const {
        Info info{};
        const engine_status status = engine_pipeline_info(handle_, &info);
        return detail::result(status, info);
    }

    // Renders the package's own speech: starts, gives each frame to `on_frame`, and waits for the
    // end. Refused inside a callback.
    template <class Function>
    [[nodiscard]] Result<Statistics> run(Function on_frame) {
        // The callback may destroy this object; nothing of it is used after the call.
        Statistics statistics{};
        const engine_status status = engine_pipeline_run(
            handle_, &detail::call_frame<Function>, std::addressof(on_frame), &statistics);
        return detail::result(status, statistics);
    }

    // Begins a run whose frames are pulled. Code::invalid_state where a run has not been waited for.
    [[nodiscard]] Result<void> start(Speech speech) {
        return detail::result(engine_pipeline_start(handle_, static_cast<std::int32_t>(speech),
                                                    nullptr, nullptr, nullptr));
    }

    // Begins a run whose frames go to `on_frame`, which is kept until the run has ended and is
    // destroyed before wait() returns.
    template <class Function>
    [[nodiscard]] Result<void> start(Speech speech, Function on_frame) {
        auto* kept = new Function(std::move(on_frame));
        return detail::result(engine_pipeline_start(
            handle_, static_cast<std::int32_t>(speech), &detail::call_frame<Function>, kept,
            [](void* user) noexcept { delete static_cast<Function*>(user); }));
    }

    // Appends rows to a run of pushed rows: `rows` x `columns` floats, row after row; `columns` must
    // be 512. Takes as many rows as there is room for, without waiting, and returns their number:
    // push the rest once frames have come out. While another thread is pushing there is room for
    // none.
    [[nodiscard]] Result<std::size_t> push(const float* values, std::size_t rows,
                                           std::size_t columns = row_length) {
        std::size_t taken = 0;
        const engine_status status = engine_pipeline_push(handle_, values, rows, columns, &taken);
        return detail::result(status, taken);
    }

    // The same for a whole number of rows of 512 values.
    [[nodiscard]] Result<std::size_t> push(const std::vector<float>& values) {
        if (values.size() % row_length != 0) return no_rows(values.size());
        return push(values.data(), values.size() / row_length);
    }

    // Appends all rows, waiting for room. Somebody else must take the frames meanwhile: a callback,
    // or another thread that pulls. Refused inside a callback.
    [[nodiscard]] Result<void> push_all(const float* values, std::size_t rows,
                                        std::size_t columns = row_length) {
        return detail::result(engine_pipeline_push_all(handle_, values, rows, columns));
    }

    // The same for a whole number of rows of 512 values.
    [[nodiscard]] Result<void> push_all(const std::vector<float>& values) {
        if (values.size() % row_length != 0) return no_rows(values.size());
        return push_all(values.data(), values.size() / row_length);
    }

    // Says that no row follows: the last frames are made, then the run ends. May be repeated. Waits
    // for a push that is under way; inside a callback it is refused instead while there is one.
    [[nodiscard]] Result<void> close_input() {
        return detail::result(engine_pipeline_close_input(handle_));
    }

    // The next frame, waiting for it as long as it takes, also for rows that another thread pushes.
    // Code::end after the last one, Code::exhausted at once where the host holds all frames that it
    // may, Code::cancelled once the run was cancelled, or the error that ended the run. Of several
    // threads one pulls after the other.
    [[nodiscard]] Result<Frame> pull() { return pulled(&engine_pipeline_pull); }

    // The same, but Code::not_ready where no further frame can be made of the rows that were pushed:
    // for programs that push and pull in one thread.
    [[nodiscard]] Result<Frame> pull_due() { return pulled(&engine_pipeline_pull_due); }

    // The same, but Code::not_ready where none is there yet: never waits.
    [[nodiscard]] Result<Frame> try_pull() { return pulled(&engine_pipeline_try_pull); }

    // Asks the run that is under way to end, and returns at once. Frames that have not reached the
    // host are given up; called inside the callback, none follows, else at most one that is on its
    // way. Pushing and pulling return Code::cancelled until the run has been waited for. Does
    // nothing where no run is under way. May be repeated.
    void cancel() noexcept {
        // It fails only where there is no pipeline, and then there is nothing to cancel.
        (void)!engine_pipeline_cancel(handle_);
    }

    // Waits for the end of a run, and makes the pipeline ready for another. What the run did, also
    // where it was cancelled, else the error that ended it. A run whose frames are pulled must have
    // been pulled to its end or cancelled; before that this returns Code::invalid_state instead of
    // waiting forever. Refused inside a callback.
    [[nodiscard]] Result<Statistics> wait() {
        Statistics statistics{};
        const engine_status status = engine_pipeline_wait(handle_, &statistics);
        return detail::result(status, statistics);
    }

    // Measures each stage alone, about two seconds, for the bound that a run can be held against.
    // The pipeline must be idle; cancel() ends it with Code::cancelled.
    [[nodiscard]] Result<StageRates> measure() {
        StageRates rates{};
        const engine_status status = engine_pipeline_measure(handle_, &rates);
        return detail::result(status, rates);
    }

   private:
    Result<Frame> pulled(engine_status (*function)(engine_pipeline*, engine_frame**) noexcept) {
        engine_frame* frame = nullptr;
        const engine_status status = function(handle_, &frame);
        if (status != ENGINE_OK) return detail::error(status);
        return Frame(frame);
    }

    static Error no_rows(std::size_t values) {
        return Error(Code::invalid_argument,
                     std::to_string(values) + " values are no whole number of rows of 512");
    }

    engine_pipeline* handle_ = nullptr;
};

}  // namespace v0_1
}  // namespace engine
