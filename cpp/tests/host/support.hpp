// What the tests share: checks that end the test, and pipelines over the sample package.
#pragma once

#include <engine/engine.hpp>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

// Ends the program with the place and the expression where it does not hold.
#define CHECK(expression)                                                                   \
    do {                                                                                    \
        if (!(expression)) {                                                                \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #expression); \
            std::exit(1);                                                                   \
        }                                                                                   \
    } while (false)

// The same for a result's code; says what the error says.
#define CHECK_CODE(result, expected)                                                            \
    do {                                                                                        \
        const auto& checked = (result);                                                         \
        if (checked.code() != engine::Code::expected) {                                         \
            std::fprintf(stderr, "%s:%d: %s is %s (%s), not %s\n", __FILE__, __LINE__, #result, \
                         engine::name(checked.code()), checked.message().c_str(), #expected);   \
            std::exit(1);                                                                       \
        }                                                                                       \
    } while (false)

#define CHECK_OK(result) CHECK_CODE(result, ok)

// Whether `text` has `part` in it; prints the text where it has not.
inline bool says(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return true;
    std::fprintf(stderr, "not in \"%s\": \"%s\"\n", text.c_str(), part.c_str());
    return false;
}

// A test by name; main.cpp runs those of one file.
struct Test {
    Test(const char* file, const char* name, void (*run)());
};

#define TEST(name)                                             \
    static void name();                                        \
    static const Test registered_##name(__FILE__, #name, name); \
    static void name()

// The sample package: unpacked, 12 frames of 192 x 108, a network of side 32.
const std::string& package();

// Options for a network that takes no time.
inline engine::Options simulated(double milliseconds = 0.0) {
    engine::Options options;
    options.backend = engine::Backend::simulated;
    options.simulated_ms = milliseconds;
    return options;
}

// A pipeline over the sample package.
inline engine::Pipeline open(const engine::Options& options = simulated()) {
    auto opened = engine::Pipeline::open(package(), options);
    CHECK_OK(opened);
    return std::move(*opened);
}

// `count` rows, no two alike.
inline std::vector<float> rows(std::size_t count) {
    std::vector<float> values(count * engine::row_length);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t row = i / engine::row_length;
        values[i] = static_cast<float>((row * 37 + i % engine::row_length * 5) % 101) / 101.0F;
    }
    return values;
}

// The pixels of a frame, without padding.
inline std::vector<std::uint8_t> pixels(const engine::FrameView& frame) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t y = 0; y < frame.height(); ++y) {
        bytes.insert(bytes.end(), frame.row(y), frame.row(y) + 3 * frame.width());
    }
    return bytes;
}

// Something that happens once, and that another thread waits for.
class Event {
   public:
    void set() {
        const std::lock_guard<std::mutex> lock(mutex_);
        happened_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return happened_; });
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool happened_ = false;
};
