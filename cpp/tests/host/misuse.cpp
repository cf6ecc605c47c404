// What goes wrong gives a code and words, and leaves the pipeline usable.
#include <cmath>
#include <memory>
#include <stdexcept>

#include "support.hpp"

namespace {

const auto ignore = [](const engine::FrameView&) {};

// Renders the package's speech, to see that a pipeline still works.
void renders(engine::Pipeline& pipeline) {
    std::uint64_t next = 0;
    const auto done = pipeline.run([&](const engine::FrameView& frame) {
        CHECK(frame.index() == next);
        ++next;
    });
    CHECK_OK(done);
    CHECK(next == 12 && done->frames == 12 && done->cancelled == 0);
}

engine::Error opening(const std::string& folder, const engine::Options& options = simulated()) {
    auto opened = engine::Pipeline::open(folder, options);
    CHECK(!opened && !*opened);
    return opened.error();
}

}  // namespace

TEST(paths_that_lead_nowhere) {
    for (const std::string& folder : {std::string("/nowhere/at/all"), std::string()}) {
        const engine::Error error = opening(folder);
        CHECK_CODE(error, package);
        CHECK(says(error.message(), folder + ": no such folder"));
    }
    const std::string file = package() + "/package_info.json";
    CHECK_CODE(opening(file), package);
    CHECK(says(opening(file).message(), file + ": not a folder"));
    CHECK_CODE(opening(package() + "/cache"), package);

    engine::Options options = simulated();
    options.model = "/nowhere/model.onnx";
    CHECK_CODE(opening(package(), options), backend);
    CHECK(says(opening(package(), options).message(), "/nowhere/model.onnx"));
    options.backend = engine::Backend::onnxruntime;
    options.model.clear();
    options.onnxruntime_library = "/nowhere/libonnxruntime.so";
    CHECK_CODE(opening(package(), options), backend);
    CHECK(says(opening(package(), options).message(), "/nowhere/libonnxruntime.so"));
    options = simulated();
    options.model = package() + "/aud_ave.npy";
    CHECK_CODE(opening(package(), options), backend);
}

TEST(options_out_of_range) {
    const auto refused = [](const std::function<void(engine::Options&)>& change) {
        engine::Options options = simulated();
        change(options);
        const engine::Error error = opening(package(), options);
        CHECK_CODE(error, invalid_argument);
        return error.message();
    };
    using O = engine::Options;
    CHECK(says(refused([](O& o) { o.batch = 257; }), "batch is 257; expected 0 to 256"));
    CHECK(says(refused([](O& o) { o.backend = engine::Backend::automatic; o.profile = "none.json"; }),
               "none.json: cannot be read as a profile"));
    CHECK(says(refused([](O& o) { o.profile = "p.json"; }), "profile p.json says what runs the network"));
    CHECK(says(refused([](O& o) { o.workers = 1000; }), "workers is 1000; expected 0 to 256"));
    CHECK(says(refused([](O& o) { o.held_frames = 0; }), "held_frames is 0"));
    CHECK(says(refused([](O& o) { o.queued_frames = 0; }), "queued_frames is 0"));
    CHECK(says(refused([](O& o) { o.pushed_rows = 0; }), "pushed_rows is 0"));
    CHECK(says(refused([](O& o) { o.simulated_ms = -1; }), "simulated_ms is -1"));
    CHECK(says(refused([](O& o) { o.simulated_ms = std::nan(""); }), "simulated_ms is NaN"));
    CHECK(says(refused([](O& o) { o.mode = static_cast<engine::Mode>(7); }), "mode is 7"));
    CHECK(says(refused([](O& o) { o.device = -1; }), "device is -1"));

    engine::Options options = simulated();
    options.frame_store = engine::FrameStore::ram;
    options.ram_budget = 1;
    CHECK_CODE(opening(package(), options), no_resources);
    CHECK(says(opening(package(), options).message(), "raise ram_budget"));
}

TEST(null_pointers) {
    engine_options options{};
    CHECK(ENGINE_OPTIONS_INIT(&options) == ENGINE_OK);
    options.backend = ENGINE_BACKEND_SIMULATED;
    engine_pipeline* pipeline = nullptr;
    CHECK(engine_options_init(nullptr, ENGINE_VERSION) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_open(nullptr, &options, &pipeline) == ENGINE_INVALID_ARGUMENT);
    CHECK(says(engine_last_error(), "package is null"));
    CHECK(engine_pipeline_open(package().c_str(), nullptr, &pipeline) == ENGINE_INVALID_ARGUMENT);
    CHECK(says(engine_last_error(), "options is null"));
    CHECK(engine_pipeline_open(package().c_str(), &options, nullptr) == ENGINE_INVALID_ARGUMENT);

    const std::vector<float> values = rows(1);
    std::size_t taken = 1;
    engine_frame* frame = nullptr;
    engine_info info{};
    engine_stage_rates rates{};
    engine_frame_view view{};
    CHECK(engine_pipeline_info(nullptr, &info) == ENGINE_INVALID_ARGUMENT);
    CHECK(says(engine_last_error(), "the pipeline is null"));
    CHECK(engine_pipeline_start(nullptr, 0, nullptr, nullptr, nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_push(nullptr, values.data(), 1, 512, &taken) == ENGINE_INVALID_ARGUMENT);
    CHECK(taken == 0);
    CHECK(engine_pipeline_push_all(nullptr, values.data(), 1, 512) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_close_input(nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_pull(nullptr, &frame) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_pull_due(nullptr, &frame) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_try_pull(nullptr, &frame) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_cancel(nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_wait(nullptr, nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_run(nullptr, nullptr, nullptr, nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_measure(nullptr, &rates) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_frame_get(nullptr, &view) == ENGINE_INVALID_ARGUMENT);
    engine_pipeline_destroy(nullptr);
    engine_pipeline_destroy(&pipeline);
    engine_frame_release(nullptr);
    engine_frame_release(&frame);
    engine_set_callback_error(nullptr);

    engine::Pipeline opened = open();
    CHECK(engine_pipeline_info(opened.handle(), nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_run(opened.handle(), nullptr, nullptr, nullptr) ==
          ENGINE_INVALID_ARGUMENT);
    CHECK(says(engine_last_error(), "callback is null"));
    CHECK(engine_pipeline_measure(opened.handle(), nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_start(opened.handle(), 2, nullptr, nullptr, nullptr) ==
          ENGINE_INVALID_ARGUMENT);
    CHECK_OK(opened.start(engine::Speech::pushed));
    CHECK(engine_pipeline_pull(opened.handle(), nullptr) == ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_push(opened.handle(), nullptr, 1, 512, &taken) ==
          ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_push(opened.handle(), values.data(), 1, 512, nullptr) ==
          ENGINE_INVALID_ARGUMENT);
    CHECK(engine_pipeline_push(opened.handle(), nullptr, 0, 512, &taken) == ENGINE_OK);
}

TEST(a_pipeline_that_is_none_refuses_every_call) {
    engine::Pipeline first = open();
    engine::Pipeline second = std::move(first);
    CHECK(!first && second);
    renders(second);
    engine::Pipeline none;
    for (engine::Pipeline* pipeline : {&first, &none}) {
        CHECK_CODE(pipeline->info(), invalid_argument);
        CHECK_CODE(pipeline->run(ignore), invalid_argument);
        CHECK_CODE(pipeline->start(engine::Speech::package), invalid_argument);
        CHECK_CODE(pipeline->start(engine::Speech::package, ignore), invalid_argument);
        CHECK_CODE(pipeline->push(rows(1)), invalid_argument);
        CHECK_CODE(pipeline->push_all(rows(1)), invalid_argument);
        CHECK_CODE(pipeline->close_input(), invalid_argument);
        CHECK_CODE(pipeline->pull(), invalid_argument);
        CHECK_CODE(pipeline->wait(), invalid_argument);
        CHECK_CODE(pipeline->measure(), invalid_argument);
        pipeline->cancel();
        pipeline->close();
    }
}

TEST(rows_of_wrong_sizes_and_values) {
    engine::Pipeline pipeline = open();
    CHECK_OK(pipeline.start(engine::Speech::pushed));
    std::vector<float> values = rows(4);
    auto pushed = pipeline.push(values.data(), 2, 1024);
    CHECK_CODE(pushed, invalid_argument);
    CHECK(says(pushed.message(), "rows of 1024 values (these look like hubert features"));
    CHECK_CODE(pipeline.push(values.data(), 2, 511), invalid_argument);
    CHECK_CODE(pipeline.push(values.data(), 2, 0), invalid_argument);
    CHECK_CODE(pipeline.push(std::vector<float>(513)), invalid_argument);
    CHECK_CODE(pipeline.push_all(std::vector<float>(511)), invalid_argument);
    const std::size_t endless = SIZE_MAX / 512;
    CHECK_CODE(pipeline.push(values.data(), endless, 512), invalid_argument);
    const auto* odd = reinterpret_cast<const float*>(reinterpret_cast<const char*>(values.data()) + 1);
    CHECK_CODE(pipeline.push(odd, 1), invalid_argument);

    values[2 * 512 + 7] = std::nanf("");
    pushed = pipeline.push(values);
    CHECK_CODE(pushed, invalid_argument);
    CHECK(says(pushed.message(), "row 2, column 7 is NaN"));
    CHECK_CODE(pipeline.push_all(values), invalid_argument);

    // None of that was taken.
    pushed = pipeline.push(rows(5));
    CHECK_OK(pushed);
    CHECK(*pushed == 5);
    CHECK_OK(pipeline.close_input());
    std::uint64_t frames = 0;
    while (pipeline.pull()) ++frames;
    CHECK(frames == 5);
    CHECK_OK(pipeline.wait());
    renders(pipeline);
}

TEST(calls_at_the_wrong_time) {
    engine::Pipeline pipeline = open();
    CHECK_CODE(pipeline.pull(), invalid_state);
    CHECK_CODE(pipeline.try_pull(), invalid_state);
    CHECK_CODE(pipeline.push(rows(1)), invalid_state);
    CHECK_CODE(pipeline.close_input(), invalid_state);
    CHECK_CODE(pipeline.wait(), invalid_state);
    pipeline.cancel();

    CHECK_OK(pipeline.start(engine::Speech::package));
    CHECK_CODE(pipeline.start(engine::Speech::package), invalid_state);
    CHECK_CODE(pipeline.run(ignore), invalid_state);
    CHECK_CODE(pipeline.measure(), invalid_state);
    CHECK_CODE(pipeline.push(rows(1)), invalid_state);
    CHECK_CODE(pipeline.close_input(), invalid_state);
    // Frames are left to pull.
    CHECK_CODE(pipeline.wait(), invalid_state);
    std::uint64_t frames = 0;
    while (pipeline.pull()) ++frames;
    CHECK(frames == 12);
    CHECK_CODE(pipeline.pull(), end);
    CHECK_CODE(pipeline.try_pull(), end);
    CHECK_OK(pipeline.wait());
    CHECK_CODE(pipeline.wait(), invalid_state);
    CHECK_CODE(pipeline.pull(), invalid_state);

    CHECK_OK(pipeline.start(engine::Speech::pushed, ignore));
    CHECK_CODE(pipeline.pull(), invalid_state);
    CHECK_CODE(pipeline.pull_due(), invalid_state);
    CHECK_OK(pipeline.close_input());
    CHECK_OK(pipeline.close_input());
    CHECK_CODE(pipeline.push(rows(1)), invalid_state);
    const auto done = pipeline.wait();
    CHECK_OK(done);
    CHECK(done->frames == 0 && done->cancelled == 0);
    renders(pipeline);
}

TEST(use_after_cancel) {
    engine::Pipeline pipeline = open();
    CHECK_OK(pipeline.start(engine::Speech::pushed));
    CHECK_OK(pipeline.push(rows(20)));
    CHECK_OK(pipeline.pull());
    pipeline.cancel();
    pipeline.cancel();
    CHECK_CODE(pipeline.pull(), cancelled);
    CHECK_CODE(pipeline.pull_due(), cancelled);
    CHECK_CODE(pipeline.try_pull(), cancelled);
    CHECK_CODE(pipeline.push(rows(1)), cancelled);
    CHECK_CODE(pipeline.push_all(rows(1)), cancelled);
    CHECK_CODE(pipeline.close_input(), cancelled);
    CHECK_CODE(pipeline.start(engine::Speech::package), invalid_state);
    const auto done = pipeline.wait();
    CHECK_OK(done);
    CHECK(done->cancelled == 1);
    renders(pipeline);
}

TEST(callbacks_that_throw_or_fail) {
    engine::Pipeline pipeline = open();
    const auto failed = [&](const std::function<void(const engine::FrameView&)>& callback) {
        const auto done = pipeline.run(callback);
        CHECK_CODE(done, callback);
        return done.message();
    };
    std::string message = failed([](const engine::FrameView& frame) {
        if (frame.index() == 5) throw std::runtime_error("told to throw");
    });
    CHECK(says(message, "the frame callback failed at frame 5: told to throw"));
    message = failed([](const engine::FrameView&) { throw 7; });
    CHECK(says(message, "at frame 0: it threw something"));

    const auto done = pipeline.run([](const engine::FrameView& frame) -> engine::Result<void> {
        if (frame.index() == 3) return engine::Error(engine::Code::callback, "the disk is full");
        return {};
    });
    CHECK_CODE(done, callback);
    CHECK(says(done.message(), "at frame 3: the disk is full"));

    const auto refuse = [](void*, const engine_frame_view*) noexcept { return engine_status{77}; };
    CHECK(engine_pipeline_run(pipeline.handle(), refuse, nullptr, nullptr) == ENGINE_CALLBACK);
    CHECK(says(engine_last_error(), "at frame 0: it returned 77"));

    // In a run that goes on by itself, the error is there for whoever waits.
    CHECK_OK(pipeline.start(engine::Speech::package, [](const engine::FrameView&) {
        throw std::logic_error("in the background");
    }));
    const auto waited = pipeline.wait();
    CHECK_CODE(waited, callback);
    CHECK(says(waited.message(), "in the background"));
    renders(pipeline);
}

TEST(waiting_inside_a_callback) {
    engine::Pipeline pipeline = open();
    engine::Pipeline other = open();
    int calls = 0;
    const auto done = pipeline.run([&](const engine::FrameView&) {
        CHECK_CODE(pipeline.wait(), invalid_state);
        CHECK_CODE(pipeline.run(ignore), invalid_state);
        CHECK_CODE(pipeline.start(engine::Speech::package), invalid_state);
        CHECK_CODE(pipeline.pull(), invalid_state);
        CHECK_CODE(pipeline.measure(), invalid_state);
        CHECK_CODE(other.run(ignore), invalid_state);
        ++calls;
    });
    CHECK_OK(done);
    CHECK(calls == 12);

    CHECK_OK(pipeline.start(engine::Speech::pushed, [&](const engine::FrameView&) {
        CHECK_CODE(pipeline.push_all(rows(1)), invalid_state);
    }));
    CHECK_OK(pipeline.push_all(rows(9)));
    CHECK_OK(pipeline.close_input());
    CHECK_OK(pipeline.wait());
    renders(other);
}

TEST(a_package_without_features_speaks_what_is_pushed) {
    engine::Options options = simulated();
    auto opened = engine::Pipeline::open(package() + "-mute", options);
    CHECK_OK(opened);
    const auto done = opened->run(ignore);
    CHECK_CODE(done, package);
    CHECK(says(done.message(), "aud_ave.npy"));
    CHECK_OK(opened->start(engine::Speech::pushed));
    CHECK_OK(opened->push(rows(3)));
    CHECK_OK(opened->close_input());
    for (std::uint64_t k = 0; k < 3; ++k) CHECK(opened->pull()->index() == k);
    CHECK_CODE(opened->pull(), end);
    CHECK_OK(opened->wait());
}

TEST(a_run_that_fails_says_why_to_whoever_pulls) {
    // A background that disappears is noticed when it is decoded.
    const std::string broken = package() + "-broken";
    engine::Options options = simulated();
    options.frame_store = engine::FrameStore::stream;
    auto opened = engine::Pipeline::open(broken, options);
    CHECK_OK(opened);
    CHECK_OK(opened->start(engine::Speech::package));
    engine::Result<engine::Frame> frame = opened->pull();
    std::uint64_t frames = 0;
    for (; frame; frame = opened->pull()) ++frames;
    CHECK_CODE(frame, package);
    CHECK(says(frame.message(), "full_body_img/6.png"));
    CHECK(frames <= 6);
    CHECK_CODE(opened->pull(), package);
    CHECK_CODE(opened->wait(), package);
    CHECK_CODE(opened->wait(), invalid_state);
}
