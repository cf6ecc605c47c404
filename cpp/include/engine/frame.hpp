// Finished frames: a view that somebody else keeps alive, and a frame that the host holds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/engine.h"

namespace engine {
inline namespace v0_1 {

// A look at the pixels of a frame, where they are: 8-bit BGR, top row first. Neither copied nor
// moved, so that it cannot outlive what it looks at by accident: the call of a callback, or the
// Frame that it is part of. Threads: any number may read.
class FrameView {
   public:
    // A view of what a C callback was given.
    explicit FrameView(const engine_frame_view& raw) noexcept : raw_(raw) {}
    FrameView(const FrameView&) = delete;
    FrameView& operator=(const FrameView&) = delete;

    // B, G, R of the first pixel, and so on; null for a frame that is none.
    [[nodiscard]] const std::uint8_t* data() const noexcept { return raw_.data; }
    // Pixels in a row.
    [[nodiscard]] std::size_t width() const noexcept { return raw_.width; }
    // Rows.
    [[nodiscard]] std::size_t height() const noexcept { return raw_.height; }
    // Bytes from one row to the next, at least 3 * width().
    [[nodiscard]] std::size_t stride() const noexcept { return raw_.stride; }
    // The first byte of row `y`, which is less than height().
    [[nodiscard]] const std::uint8_t* row(std::size_t y) const noexcept {
        return raw_.data + y * raw_.stride;
    }
    // Position in the run, from 0.
    [[nodiscard]] std::uint64_t index() const noexcept { return raw_.index; }
    // Time stamp: seconds since the run's first frame, by the package's frame rate.
    [[nodiscard]] double seconds() const noexcept { return raw_.seconds; }

   protected:
    engine_frame_view raw_;
};

// A frame that the host holds, with its pixels. It stays valid as long as it exists, also when the
// pipeline it came from is gone; then its buffer goes back to where it came from. Movable.
// Threads: any number may read; it may be moved to and destroyed in another thread.
class Frame : public FrameView {
   public:
    // No frame: no pixels, size 0.
    Frame() noexcept : FrameView(engine_frame_view{}) {}
    // Takes a frame that a C function gave; null is no frame.
    explicit Frame(engine_frame* handle) noexcept : FrameView(engine_frame_view{}), handle_(handle) {
        if (handle_ != nullptr && engine_frame_get(handle_, &raw_) != ENGINE_OK) release();
    }
    Frame(Frame&& other) noexcept : FrameView(other.raw_), handle_(other.handle_) {
        other.handle_ = nullptr;
        other.raw_ = {};
    }
    Frame& operator=(Frame&& other) noexcept {
        if (this != &other) {
            release();
            raw_ = other.raw_;
            handle_ = other.handle_;
            other.handle_ = nullptr;
            other.raw_ = {};
        }
        return *this;
    }
    ~Frame() { release(); }

    // Whether there is a frame.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    // Gives the frame back before its end; it is none then.
    void release() noexcept {
        engine_frame_release(&handle_);
        raw_ = {};
    }

   private:
    engine_frame* handle_ = nullptr;
};

}  // namespace v0_1
}  // namespace engine
