// Runs frames through a C++ callback, as a host would.
#include <engine/engine.hpp>

#include <vector>

// Renders `frames` frames of the package in `package` in sequential mode, batch 4, over a simulated
// network that takes no time. The callback adds the first byte of each frame to `*sum`. Returns what
// the library measured in `*statistics`; false where something fails.
extern "C" bool bench_callback(const char* package, std::size_t frames, std::uint64_t* sum,
                               engine_statistics* statistics) {
    engine::Options options;
    options.backend = engine::Backend::simulated;
    options.simulated_ms = 0;
    options.mode = engine::Mode::sequential;
    // All rows fit, so that nobody pushes while frames are measured.
    options.pushed_rows = static_cast<std::uint32_t>(frames);
    auto pipeline = engine::Pipeline::open(package, options);
    if (!pipeline) return false;
    const auto started = pipeline->start(engine::Speech::pushed, [sum](const engine::FrameView& frame) {
        *sum += frame.data()[0];
    });
    if (!started) return false;
    const std::vector<float> row(engine::row_length, 0.25F);
    for (std::size_t i = 0; i < frames; ++i) {
        if (!pipeline->push_all(row)) return false;
    }
    if (!pipeline->close_input()) return false;
    const auto done = pipeline->wait();
    if (!done) return false;
    *statistics = *done;
    return done->frames == frames;
}
