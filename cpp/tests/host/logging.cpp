// The logger hook.
#include <memory>
#include <stdexcept>

#include "support.hpp"

namespace {

// Says when it is destroyed.
struct Farewell {
    explicit Farewell(int& count) : count(&count) {}
    ~Farewell() { ++*count; }
    int* count;
};

}  // namespace

TEST(a_logger_hears_what_is_opened) {
    std::vector<std::string> lines;
    engine::set_logger([&](engine::LogLevel level, std::string_view line) {
        CHECK(level == engine::LogLevel::info);
        lines.emplace_back(line);
    });
    { const engine::Pipeline pipeline = open(); }
    engine::set_logger(nullptr);
    CHECK(lines.size() == 3);
    CHECK(says(lines[0], package()) && says(lines[0], "12 background frames of 192x108"));
    CHECK(says(lines[1], "in RAM"));
    CHECK(says(lines[2], "32 x 32 on simulated"));
    { const engine::Pipeline pipeline = open(); }
    CHECK(lines.size() == 3);
}

TEST(a_logger_is_destroyed_when_it_is_replaced) {
    int destroyed = 0;
    auto farewell = std::make_shared<Farewell>(destroyed);
    engine::set_logger([farewell](engine::LogLevel, std::string_view) {});
    farewell.reset();
    CHECK(destroyed == 0);
    engine::set_logger(nullptr);
    CHECK(destroyed == 1);
}

TEST(a_logger_may_throw_and_replace_itself) {
    engine::set_logger(
        [](engine::LogLevel, std::string_view) { throw std::runtime_error("told to"); });
    { const engine::Pipeline pipeline = open(); }

    int calls = 0;
    int destroyed = 0;
    auto farewell = std::make_shared<Farewell>(destroyed);
    engine::set_logger([&calls, &destroyed, farewell](engine::LogLevel, std::string_view) {
        ++calls;
        engine::set_logger(nullptr);
        // It is still in a call.
        CHECK(destroyed == 0);
    });
    farewell.reset();
    { const engine::Pipeline pipeline = open(); }
    CHECK(calls == 1 && destroyed == 1);
}
