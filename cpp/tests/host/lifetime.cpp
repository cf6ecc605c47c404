// Pipelines that end early, in the wrong place, or twice.
#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "support.hpp"

namespace {

// Counts how often it is destroyed; copies and moved-from ones do not count.
class Counted {
   public:
    Counted(std::atomic<int>& destroyed, Event& gone) : destroyed_(&destroyed), gone_(&gone) {}
    Counted(Counted&& other) noexcept
        : destroyed_(std::exchange(other.destroyed_, nullptr)), gone_(other.gone_) {}
    ~Counted() {
        if (destroyed_ == nullptr) return;
        ++*destroyed_;
        gone_->set();
    }

   private:
    std::atomic<int>* destroyed_;
    Event* gone_;
};

std::vector<engine::Options> settings() {
    std::vector<engine::Options> all;
    for (const auto mode : {engine::Mode::pipelined, engine::Mode::sequential}) {
        for (const auto store : {engine::FrameStore::ram, engine::FrameStore::stream}) {
            engine::Options options = simulated();
            options.mode = mode;
            options.frame_store = store;
            options.queued_frames = 1;
            all.push_back(options);
        }
    }
    return all;
}

}  // namespace

TEST(destroying_in_the_middle_of_a_run) {
    for (const engine::Options& options : settings()) {
        // Before the first frame, with frames queued, while rows are waited for.
        for (int pulled = 0; pulled < 4; ++pulled) {
            engine::Pipeline pipeline = open(options);
            CHECK_OK(pipeline.start(engine::Speech::package));
            for (int k = 0; k < pulled; ++k) CHECK_OK(pipeline.pull());
        }
        {
            engine::Pipeline pipeline = open(options);
            CHECK_OK(pipeline.start(engine::Speech::pushed));
            CHECK_OK(pipeline.push(rows(9)));
        }
        std::atomic<int> destroyed{0};
        Event gone;
        Event called;
        {
            engine::Pipeline pipeline = open(options);
            CHECK_OK(pipeline.start(engine::Speech::pushed,
                                    [&, counted = Counted(destroyed, gone)](
                                        const engine::FrameView&) { called.set(); }));
            CHECK_OK(pipeline.push(rows(9)));
            called.wait();
        }
        // Whoever destroys outside a callback has waited.
        CHECK(destroyed == 1);
    }
}

TEST(destroying_inside_the_callback_of_a_run_that_is_waited_for) {
    for (const engine::Options& options : settings()) {
        std::optional<engine::Pipeline> pipeline(open(options));
        int calls = 0;
        const auto done = pipeline->run([&](const engine::FrameView& frame) {
            ++calls;
            const auto before = pixels(frame);
            pipeline.reset();
            // The frame is the callback's until it returns.
            CHECK(pixels(frame) == before);
        });
        CHECK_OK(done);
        CHECK(done->cancelled == 1 && calls == 1 && !pipeline);
    }
}

TEST(destroying_inside_the_callback_of_a_run_of_its_own) {
    for (const engine::Options& options : settings()) {
        auto pipeline = std::make_unique<engine::Pipeline>(open(options));
        std::atomic<int> destroyed{0};
        std::atomic<int> calls{0};
        Event ready;
        Event gone;
        CHECK_OK(pipeline->start(engine::Speech::package,
                                 [&, counted = Counted(destroyed, gone)](const engine::FrameView&) {
                                     ready.wait();
                                     ++calls;
                                     pipeline.reset();
                                 }));
        ready.set();
        gone.wait();
        CHECK(calls == 1 && destroyed == 1 && !pipeline);
    }
}

TEST(destroying_another_pipeline_inside_a_callback) {
    engine::Pipeline first = open();
    engine::Pipeline second = open();
    std::atomic<int> destroyed{0};
    Event gone;
    CHECK_OK(second.start(engine::Speech::pushed,
                          [counted = Counted(destroyed, gone)](const engine::FrameView&) {}));
    const auto done = first.run([&](const engine::FrameView&) { second.close(); });
    CHECK_OK(done);
    CHECK(done->frames == 12 && done->cancelled == 0);
    gone.wait();
    CHECK(destroyed == 1 && !second);
}

TEST(opening_and_destroying_inside_a_callback) {
    engine::Pipeline pipeline = open();
    int opened = 0;
    CHECK_OK(pipeline.run([&](const engine::FrameView&) {
        engine::Pipeline other = open();
        CHECK_OK(other.start(engine::Speech::package));
        CHECK_OK(other.pull());
        ++opened;
    }));
    CHECK(opened == 12);
}

TEST(closing_twice) {
    engine::Pipeline pipeline = open();
    CHECK_OK(pipeline.start(engine::Speech::package));
    pipeline.close();
    pipeline.close();
    CHECK(!pipeline);

    engine_pipeline* handle = nullptr;
    auto options = engine::detail::c_options(simulated());
    CHECK_OK(options);
    CHECK(engine_pipeline_open(package().c_str(), &*options, &handle) == ENGINE_OK);
    engine_pipeline_destroy(&handle);
    CHECK(handle == nullptr);
    engine_pipeline_destroy(&handle);
}

TEST(closing_while_another_thread_waits) {
    engine::Pipeline pipeline = open();
    Event called;
    std::atomic<bool> waiting{true};
    CHECK_OK(pipeline.start(engine::Speech::pushed,
                            [&](const engine::FrameView&) { called.set(); }));
    std::thread pushing([&] {
        // Ends with the run: cancelled here, or refused after the pipeline is closed elsewhere.
        CHECK_CODE(pipeline.push_all(rows(5000)), cancelled);
        waiting = false;
    });
    called.wait();
    pipeline.cancel();
    pushing.join();
    CHECK(!waiting);
    pipeline.close();
}

TEST(frames_that_are_held_while_the_pipeline_is_destroyed_in_a_callback) {
    for (const engine::Options& options : settings()) {
        engine::Pipeline pulled = open(options);
        CHECK_OK(pulled.start(engine::Speech::package));
        auto frame = pulled.pull();
        CHECK_OK(frame);
        const auto bytes = pixels(*frame);
        engine::Pipeline other = open();
        CHECK_OK(other.run([&](const engine::FrameView&) { pulled.close(); }));
        CHECK(pixels(*frame) == bytes);
    }
}

TEST(a_run_that_cannot_start_releases_its_callback) {
    std::atomic<int> destroyed{0};
    Event gone;
    engine::Pipeline pipeline = open();
    CHECK_OK(pipeline.start(engine::Speech::package));
    CHECK_CODE(pipeline.start(engine::Speech::package,
                              [counted = Counted(destroyed, gone)](const engine::FrameView&) {}),
               invalid_state);
    CHECK(destroyed == 1);
    engine::Pipeline none;
    CHECK_CODE(none.start(engine::Speech::package,
                          [counted = Counted(destroyed, gone)](const engine::FrameView&) {}),
               invalid_argument);
    CHECK(destroyed == 2);
}

TEST(a_callback_is_gone_when_its_run_was_waited_for) {
    std::atomic<int> destroyed{0};
    Event gone;
    engine::Pipeline pipeline = open();
    CHECK_OK(pipeline.start(engine::Speech::package,
                            [counted = Counted(destroyed, gone)](const engine::FrameView&) {}));
    CHECK_OK(pipeline.wait());
    CHECK(destroyed == 1);
}

TEST(measuring_ends_when_cancelled) {
    engine::Pipeline pipeline = open(simulated(50.0));
    std::atomic<bool> measured{false};
    std::thread measuring([&] {
        const auto rates = pipeline.measure();
        // Cancelled, unless this thread came so late that it was never asked to end.
        CHECK(rates.code() == engine::Code::cancelled || rates.ok());
        measured = true;
    });
    while (!measured) {
        pipeline.cancel();
        std::this_thread::yield();
    }
    measuring.join();
    CHECK_OK(pipeline.run([](const engine::FrameView&) {}));
}
