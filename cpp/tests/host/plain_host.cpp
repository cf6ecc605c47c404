// A host without exceptions and run-time type information.
#include <engine/engine.hpp>

#include <cstdio>

int main(int, char** argv) {
    engine::Options options;
    options.backend = engine::Backend::simulated;
    options.simulated_ms = 0;
    auto pipeline = engine::Pipeline::open(argv[1], options);
    if (!pipeline) {
        std::fprintf(stderr, "%s\n", pipeline.message().c_str());
        return 1;
    }
    unsigned frames = 0;
    const auto done = pipeline->run([&](const engine::FrameView&) { ++frames; });
    return done && frames == 12 ? 0 : 1;
}
