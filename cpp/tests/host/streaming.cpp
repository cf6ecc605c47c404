// Rows that are pushed while frames come out.
#include <atomic>
#include <thread>

#include "support.hpp"

namespace {

// A network whose output depends on the audio.
engine::Options probe() {
    engine::Options options;
    options.backend = engine::Backend::onnxruntime;
    return options;
}

// The frames of `values`, pushed as fast as they are taken.
std::vector<std::vector<std::uint8_t>> whole(const std::vector<float>& values) {
    engine::Options options = probe();
    options.pushed_rows = 4096;
    engine::Pipeline pipeline = open(options);
    std::vector<std::vector<std::uint8_t>> frames;
    CHECK_OK(pipeline.start(engine::Speech::pushed, [&](const engine::FrameView& frame) {
        CHECK(frame.index() == frames.size());
        frames.push_back(pixels(frame));
    }));
    CHECK_OK(pipeline.push_all(values));
    CHECK_OK(pipeline.close_input());
    CHECK_OK(pipeline.wait());
    CHECK(frames.size() == values.size() / engine::row_length);
    return frames;
}

}  // namespace

TEST(a_frame_is_due_with_the_seventh_row_after_its_own) {
    const std::vector<float> values = rows(30);
    const auto frames = whole(values);
    for (const auto mode : {engine::Mode::pipelined, engine::Mode::sequential}) {
        engine::Options options = probe();
        options.mode = mode;
        engine::Pipeline pipeline = open(options);
        CHECK_OK(pipeline.start(engine::Speech::pushed));
        CHECK_CODE(pipeline.try_pull(), not_ready);
        std::size_t next = 0;
        for (std::size_t row = 0; row < 30; ++row) {
            const auto pushed = pipeline.push(values.data() + row * 512, 1);
            CHECK_OK(pushed);
            CHECK(*pushed == 1);
            if (row >= 7) {
                const auto frame = pipeline.pull_due();
                CHECK_OK(frame);
                CHECK(frame->index() == next && pixels(*frame) == frames[next]);
                ++next;
            }
            const auto early = pipeline.pull_due();
            CHECK_CODE(early, not_ready);
            CHECK(says(early.message(), "push more rows"));
        }
        CHECK_OK(pipeline.close_input());
        for (; next < 30; ++next) {
            const auto frame = pipeline.pull_due();
            CHECK_OK(frame);
            CHECK(frame->index() == next && pixels(*frame) == frames[next]);
        }
        CHECK_CODE(pipeline.pull_due(), end);
        CHECK_OK(pipeline.wait());
    }
}

TEST(one_thread_pushes_more_than_there_is_room_for) {
    const std::vector<float> values = rows(200);
    const auto frames = whole(values);
    engine::Options options = probe();
    options.pushed_rows = 4;
    options.queued_frames = 1;
    engine::Pipeline pipeline = open(options);
    CHECK_OK(pipeline.start(engine::Speech::pushed));
    std::size_t next = 0;
    for (std::size_t row = 0; row < 200;) {
        const auto pushed = pipeline.push(values.data() + row * 512, 200 - row);
        CHECK_OK(pushed);
        // Memory is bounded: what waits, a window, and what the frames under way have used.
        CHECK(*pushed <= 60);
        row += *pushed;
        CHECK(row < 200 || *pushed > 0);
        if (row == 200) CHECK_OK(pipeline.close_input());
        for (;;) {
            const auto frame = pipeline.pull_due();
            if (!frame) {
                CHECK(frame.code() == (row == 200 ? engine::Code::end : engine::Code::not_ready));
                break;
            }
            CHECK(frame->index() == next && pixels(*frame) == frames[next]);
            ++next;
        }
    }
    CHECK(next == 200);
    CHECK_OK(pipeline.wait());
}

TEST(one_thread_pushes_and_another_pulls) {
    const std::vector<float> values = rows(100);
    const auto frames = whole(values);
    engine::Options options = probe();
    options.pushed_rows = 2;
    engine::Pipeline pipeline = open(options);
    for (int run = 0; run < 3; ++run) {
        CHECK_OK(pipeline.start(engine::Speech::pushed));
        std::thread pushing([&] {
            CHECK_OK(pipeline.push_all(values));
            CHECK_OK(pipeline.close_input());
        });
        std::size_t next = 0;
        for (;;) {
            const auto frame = pipeline.pull();
            if (!frame) {
                CHECK_CODE(frame, end);
                break;
            }
            CHECK(frame->index() == next && pixels(*frame) == frames[next]);
            ++next;
        }
        pushing.join();
        CHECK(next == 100);
        const auto done = pipeline.wait();
        CHECK_OK(done);
        CHECK(done->frames == 100);
    }
}

TEST(a_callback_pushes_what_comes_next) {
    const std::vector<float> values = rows(40);
    const auto frames = whole(values);
    engine::Pipeline pipeline = open(probe());
    std::size_t row = 8;
    std::size_t next = 0;
    CHECK_OK(pipeline.start(engine::Speech::pushed, [&](const engine::FrameView& frame) {
        CHECK(pixels(frame) == frames[next]);
        ++next;
        if (row == 40) {
            CHECK_OK(pipeline.close_input());
        } else {
            CHECK_OK(pipeline.push(values.data() + row * 512, 1));
            ++row;
        }
    }));
    CHECK_OK(pipeline.push(values.data(), 8));
    CHECK_OK(pipeline.wait());
    CHECK(next == 40);
}

TEST(a_callback_is_not_kept_waiting_by_a_push_that_waits_for_it) {
    engine::Options options = simulated();
    options.pushed_rows = 1;
    engine::Pipeline pipeline = open(options);
    const std::vector<float> values = rows(400);
    std::size_t calls = 0;
    CHECK_OK(pipeline.start(engine::Speech::pushed, [&](const engine::FrameView& frame) {
        ++calls;
        // Far before the end of push_all, which waits for room that this callback makes.
        if (frame.index() > 100) return;
        const auto pushed = pipeline.push(values.data(), 1);
        CHECK_OK(pushed);
        CHECK(*pushed == 0);
        CHECK_CODE(pipeline.close_input(), invalid_state);
    }));
    CHECK_OK(pipeline.push_all(values));
    CHECK_OK(pipeline.close_input());
    CHECK_OK(pipeline.wait());
    CHECK(calls == 400);
}

TEST(cancelling_wakes_whoever_waits) {
    engine::Options options = simulated();
    options.pushed_rows = 1;
    engine::Pipeline pipeline = open(options);
    // A pull that waits for rows.
    CHECK_OK(pipeline.start(engine::Speech::pushed));
    CHECK_OK(pipeline.push(rows(8)));
    CHECK_OK(pipeline.pull());
    std::thread pulling([&] { CHECK_CODE(pipeline.pull(), cancelled); });
    pipeline.cancel();
    pulling.join();
    auto done = pipeline.wait();
    CHECK_OK(done);
    CHECK(done->cancelled == 1 && done->frames == 1);

    // A push that waits for room.
    CHECK_OK(pipeline.start(engine::Speech::pushed));
    Event begun;
    std::thread pushing([&] {
        begun.set();
        CHECK_CODE(pipeline.push_all(rows(5000)), cancelled);
    });
    begun.wait();
    pipeline.cancel();
    pushing.join();
    done = pipeline.wait();
    CHECK_OK(done);
    CHECK(done->cancelled == 1);
}

TEST(cancelling_in_a_callback_is_the_end_of_callbacks) {
    engine::Pipeline pipeline = open();
    int calls = 0;
    const auto done = pipeline.run([&](const engine::FrameView& frame) {
        ++calls;
        if (frame.index() == 2) pipeline.cancel();
    });
    CHECK_OK(done);
    CHECK(calls == 3 && done->cancelled == 1 && done->frames >= 3);
}
