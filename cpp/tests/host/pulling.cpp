// Frames that the host pulls and holds.
#include <deque>
#include <thread>

#include "support.hpp"

namespace {

// The frames of the package's own speech, as a callback gets them.
std::vector<std::vector<std::uint8_t>> expected() {
    engine::Pipeline pipeline = open();
    std::vector<std::vector<std::uint8_t>> frames;
    CHECK_OK(pipeline.run([&](const engine::FrameView& frame) { frames.push_back(pixels(frame)); }));
    CHECK(frames.size() == 12 && frames[0] != frames[1]);
    return frames;
}

// Every way to set a pipeline up that changes where buffers come from.
std::vector<engine::Options> settings() {
    std::vector<engine::Options> all;
    for (const auto mode : {engine::Mode::pipelined, engine::Mode::sequential}) {
        for (const auto store : {engine::FrameStore::ram, engine::FrameStore::stream}) {
            for (const std::uint32_t batch : {1U, 4U, 16U}) {
                engine::Options options = simulated();
                options.mode = mode;
                options.frame_store = store;
                options.batch = batch;
                all.push_back(options);
            }
        }
    }
    return all;
}

}  // namespace

TEST(pulled_frames_are_those_of_a_callback) {
    const auto frames = expected();
    for (const engine::Options& options : settings()) {
        engine::Pipeline pipeline = open(options);
        for (int run = 0; run < 2; ++run) {
            CHECK_OK(pipeline.start(engine::Speech::package));
            for (std::size_t k = 0; k < frames.size(); ++k) {
                const auto frame = pipeline.pull();
                CHECK_OK(frame);
                CHECK(frame->index() == k && frame->seconds() == static_cast<double>(k) / 25.0);
                CHECK(frame->width() == 192 && frame->height() == 108);
                CHECK(frame->stride() == 3 * frame->width());
                CHECK(pixels(*frame) == frames[k]);
            }
            CHECK_CODE(pipeline.pull(), end);
            const auto done = pipeline.wait();
            CHECK_OK(done);
            CHECK(done->frames == 12 && done->cancelled == 0);
        }
    }
}

TEST(holding_all_frames_exhausts_them_and_never_blocks) {
    const auto frames = expected();
    for (const std::uint32_t held : {1U, 2U, 5U}) {
        for (engine::Options options : settings()) {
            options.held_frames = held;
            options.queued_frames = 1;
            engine::Pipeline pipeline = open(options);
            CHECK_OK(pipeline.start(engine::Speech::package));
            std::deque<engine::Frame> holding;
            for (std::size_t k = 0; k < frames.size(); ++k) {
                if (holding.size() == held) {
                    for (int again = 0; again < 3; ++again) {
                        CHECK_CODE(pipeline.pull(), exhausted);
                        CHECK_CODE(pipeline.pull_due(), exhausted);
                        CHECK_CODE(pipeline.try_pull(), exhausted);
                    }
                    holding.pop_front();
                }
                auto frame = pipeline.pull();
                CHECK_OK(frame);
                holding.push_back(std::move(*frame));
                for (const engine::Frame& still : holding) {
                    CHECK(pixels(still) == frames[still.index()]);
                }
            }
            CHECK_CODE(pipeline.pull(), exhausted);
            holding.pop_front();
            CHECK_CODE(pipeline.pull(), end);
            CHECK_OK(pipeline.wait());
        }
    }
}

TEST(frames_that_are_held_count_in_the_next_run) {
    for (engine::Options options : settings()) {
        options.held_frames = 2;
        engine::Pipeline pipeline = open(options);
        CHECK_OK(pipeline.start(engine::Speech::package));
        const auto first = pipeline.pull();
        CHECK_OK(first);
        const auto bytes = pixels(*first);
        pipeline.cancel();
        CHECK_OK(pipeline.wait());
        CHECK_OK(pipeline.start(engine::Speech::package));
        auto second = pipeline.pull();
        CHECK_OK(second);
        CHECK(second->index() == 0 && pixels(*second) == bytes && second->data() != first->data());
        CHECK_CODE(pipeline.pull(), exhausted);
        second->release();
        CHECK(!*second && second->data() == nullptr && second->width() == 0);
        std::uint64_t frames = 1;
        while (pipeline.pull()) ++frames;
        CHECK(frames == 12 && pixels(*first) == bytes);
        CHECK_OK(pipeline.wait());
    }
}

TEST(frames_outlive_their_pipeline) {
    const auto frames = expected();
    for (const engine::Options& options : settings()) {
        std::vector<engine::Frame> held;
        {
            engine::Pipeline pipeline = open(options);
            CHECK_OK(pipeline.start(engine::Speech::package));
            for (int k = 0; k < 3; ++k) held.push_back(std::move(*pipeline.pull()));
        }
        for (const engine::Frame& frame : held) CHECK(pixels(frame) == frames[frame.index()]);
        // One is let go by another thread, one by moving another over it.
        std::thread([frame = std::move(held[0])] {}).join();
        held[1] = std::move(held[2]);
        CHECK(held[1].index() == 2 && !held[2] && pixels(held[1]) == frames[2]);
    }
}

TEST(a_frame_is_released_once) {
    engine::Pipeline pipeline = open();
    CHECK_OK(pipeline.start(engine::Speech::package));
    engine_frame* frame = nullptr;
    CHECK(engine_pipeline_pull(pipeline.handle(), &frame) == ENGINE_OK);
    engine_frame_view view{};
    CHECK(engine_frame_get(frame, nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_frame_get(frame, &view) == ENGINE_OK && view.index == 0);
    engine_frame_release(&frame);
    CHECK(frame == nullptr);
    engine_frame_release(&frame);
    CHECK(engine_frame_get(frame, &view) == ENGINE_INVALID_ARGUMENT);
}

TEST(two_threads_pull_every_frame_once) {
    engine::Pipeline pipeline = open();
    CHECK_OK(pipeline.start(engine::Speech::package));
    std::vector<std::uint64_t> seen[2];
    const auto pull = [&](std::vector<std::uint64_t>& indices) {
        for (;;) {
            const auto frame = pipeline.pull();
            if (!frame) {
                CHECK_CODE(frame, end);
                return;
            }
            indices.push_back(frame->index());
        }
    };
    std::thread other([&] { pull(seen[1]); });
    pull(seen[0]);
    other.join();
    std::vector<bool> all(12);
    for (const auto& indices : seen) {
        for (std::size_t i = 0; i < indices.size(); ++i) {
            CHECK(i == 0 || indices[i - 1] < indices[i]);
            CHECK(!all[indices[i]]);
            all[indices[i]] = true;
        }
    }
    CHECK(seen[0].size() + seen[1].size() == 12);
    CHECK_OK(pipeline.wait());
}

TEST(a_run_is_summed_up) {
    engine::Options options = simulated(1.0);
    options.batch = 1;
    engine::Pipeline pipeline = open(options);
    const auto done = pipeline.run([](const engine::FrameView&) {});
    CHECK_OK(done);
    CHECK(done->frames == 12 && done->cancelled == 0 && done->reserved == 0);
    CHECK(done->wall_seconds >= 0.012);
    CHECK(done->frames_per_second == 12.0 / done->wall_seconds);
    CHECK(done->inference_ms.count == 12 && done->inference_ms.mean >= 1.0);
    CHECK(done->inference_ms.p50 <= done->inference_ms.p90);
    CHECK(done->inference_ms.p90 <= done->inference_ms.max);
    // Too few measurements for the high percentiles.
    CHECK(done->inference_ms.p95 != done->inference_ms.p95);
    for (const auto& summary :
         {done->composite_ms, done->composite_cpu_ms, done->assemble_ms, done->deliver_ms}) {
        CHECK(summary.count == 12 && summary.mean >= 0);
    }
    const auto alone = pipeline.measure();
    CHECK_OK(alone);
    CHECK(alone->infer == 1000.0 && alone->decode != alone->decode);
    CHECK(alone->bound <= alone->infer && alone->bound <= alone->composite);
}
