// Renders an avatar's own speech to image files and prints what `engine-cli bench` prints: once as a
// plain loop, which is the baseline, and once with all stages at the same time.
//
//     host PACKAGE MODEL FOLDER [simulated]
//
// FOLDER, which must exist, gets frame_00000.ppm and so on. With `simulated` the network is not run;
// only its sizes are read from MODEL.

#include <engine/engine.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace {

// Writes a frame as a PPM file, whose pixels are R, G, B.
engine::Result<void> write(const engine::FrameView& frame, const std::string& folder) {
    char name[32];
    std::snprintf(name, sizeof name, "/frame_%05llu.ppm",
                  static_cast<unsigned long long>(frame.index()));
    std::string pixels;
    pixels.reserve(3 * frame.width() * frame.height());
    for (std::size_t y = 0; y < frame.height(); ++y) {
        const std::uint8_t* bgr = frame.row(y);
        for (std::size_t x = 0; x < frame.width(); ++x, bgr += 3) {
            pixels += static_cast<char>(bgr[2]);
            pixels += static_cast<char>(bgr[1]);
            pixels += static_cast<char>(bgr[0]);
        }
    }
    const std::string path = folder + name;
    std::FILE* file = std::fopen(path.c_str(), "wb");
    bool written = file != nullptr;
    if (written) {
        std::fprintf(file, "P6\n%zu %zu\n255\n", frame.width(), frame.height());
        written = std::fwrite(pixels.data(), 1, pixels.size(), file) == pixels.size();
        written = std::fclose(file) == 0 && written;
    }
    if (!written) return engine::Error(engine::Code::callback, path + ": cannot be written");
    return {};
}

// A run, and what it is held against.
struct Measured {
    engine::Statistics run;
    engine::StageRates alone;
    std::string configuration;
};

engine::Result<Measured> render(const char* package, const engine::Options& options,
                                const std::string& folder) {
    auto pipeline = engine::Pipeline::open(package, options);
    if (!pipeline) return pipeline.error();
    const auto info = pipeline->info();
    if (!info) return info.error();
    const auto alone = pipeline->measure();
    if (!alone) return alone.error();
    const auto run =
        pipeline->run([&](const engine::FrameView& frame) { return write(frame, folder); });
    if (!run) return run.error();
    const bool sequential = options.mode == engine::Mode::sequential;
    return Measured{*run, *alone,
                    "batch " + std::to_string(info->batch) + ", workers " +
                        std::to_string(info->workers) + (sequential ? " (sequential)" : "")};
}

// 50th, 95th and 99th percentile; a dash where there are too few measurements.
std::string percentiles(const engine::Summary& summary) {
    std::string text;
    for (const double value : {summary.p50, summary.p95, summary.p99}) {
        char number[32] = "-";
        if (value == value) std::snprintf(number, sizeof number, "%.2f", value);
        text += (text.empty() ? "" : " / ") + std::string(number);
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: host PACKAGE MODEL FOLDER [simulated]\n");
        return 2;
    }
    engine::Options options;
    options.model = argv[2];
    if (argc > 4) options.backend = engine::Backend::simulated;
    engine::Options baseline = options;
    baseline.mode = engine::Mode::sequential;
    baseline.batch = 1;

    std::puts("| configuration | frames/s | inference ms | composite ms | speed-up "
              "| inference p50 / p95 / p99 | composite p50 / p95 / p99 | efficiency |\n"
              "|---|---|---|---|---|---|---|---|");
    double plain = 0;
    for (const engine::Options& setting : {baseline, options}) {
        const auto done = render(argv[1], setting, argv[3]);
        if (!done) {
            std::fprintf(stderr, "error: %s\n", done.message().c_str());
            return 1;
        }
        const engine::Statistics& run = done->run;
        const double fps = run.frames_per_second;
        if (plain == 0) plain = fps;
        std::printf("| %s | %.2f | %.2f | %.2f | %.2f | %s | %s | %.3f |\n",
                    done->configuration.c_str(), fps, run.inference_ms.mean, run.composite_ms.mean,
                    fps / plain, percentiles(run.inference_ms).c_str(),
                    percentiles(run.composite_ms).c_str(), fps / done->alone.bound);
    }
}
