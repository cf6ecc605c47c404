// Versions, names and defaults.
#include "support.hpp"

TEST(the_library_fits_its_headers) {
    CHECK(engine::library_version() == engine::header_version);
    CHECK(engine::header_version == ENGINE_MAKE_VERSION(0, 1, 0));
    CHECK_OK(engine::check_version());
}

TEST(headers_of_another_minor_version_are_refused) {
    for (const std::uint32_t other :
         {ENGINE_MAKE_VERSION(0, 2, 0), ENGINE_MAKE_VERSION(1, 1, 0), std::uint32_t{0}}) {
        CHECK(engine_check_version(other) == ENGINE_VERSION_MISMATCH);
        CHECK(says(engine_last_error(), "the library is version 0.1.0"));

        engine_options options{};
        options.batch = 77;
        CHECK(engine_options_init(&options, other) == ENGINE_VERSION_MISMATCH);
        CHECK(options.batch == 77 && options.version == 0);

        CHECK(ENGINE_OPTIONS_INIT(&options) == ENGINE_OK);
        options.version = other;
        engine_pipeline* pipeline = nullptr;
        CHECK(engine_pipeline_open(package().c_str(), &options, &pipeline) ==
              ENGINE_VERSION_MISMATCH);
        CHECK(pipeline == nullptr);
    }
    CHECK(engine_check_version(ENGINE_MAKE_VERSION(0, 1, 99)) == ENGINE_OK);
}

TEST(the_defaults_are_the_same_in_both_languages) {
    engine_options c{};
    CHECK(ENGINE_OPTIONS_INIT(&c) == ENGINE_OK);
    const auto made = engine::detail::c_options(engine::Options{});
    CHECK_OK(made);
    const engine_options& cpp = *made;
    CHECK(c.version == ENGINE_VERSION && cpp.version == c.version);
    CHECK(c.backend == cpp.backend && c.backend == ENGINE_BACKEND_AUTO);
    CHECK(c.model == nullptr && cpp.model == nullptr);
    CHECK(c.simulated_ms == cpp.simulated_ms && c.simulated_ms == 8.18);
    CHECK(c.onnxruntime_library == nullptr && cpp.onnxruntime_library == nullptr);
    CHECK(c.provider == cpp.provider && c.device == cpp.device && c.threads == cpp.threads);
    CHECK(c.lanes == cpp.lanes && c.lanes == 2 && c.cuda_graphs == cpp.cuda_graphs);
    CHECK(c.tensorrt_folder == nullptr && cpp.tensorrt_folder == nullptr);
    CHECK(c.openvino_library == nullptr && cpp.openvino_library == nullptr);
    CHECK(c.streams == cpp.streams && c.streams == 0);
    CHECK(c.precision == cpp.precision && c.precision == ENGINE_PRECISION_AUTO);
    CHECK(c.trust_engine == cpp.trust_engine && c.trust_engine == 0);
    CHECK(c.mode == cpp.mode && c.batch == cpp.batch && c.batch == 0);
    CHECK(c.profile == nullptr && cpp.profile == nullptr);
    CHECK(c.workers == cpp.workers && c.inputs == cpp.inputs);
    CHECK(c.frame_store == cpp.frame_store && c.ram_budget == cpp.ram_budget);
    CHECK(c.ram_budget == 1U << 30);
    CHECK(c.region_budget == cpp.region_budget && c.region_budget == 0);
    CHECK(c.compositor == cpp.compositor && c.interpolation == cpp.interpolation);
    CHECK(c.queued_frames == cpp.queued_frames && c.queued_frames == 4);
    CHECK(c.held_frames == cpp.held_frames && c.held_frames == 8);
    CHECK(c.pushed_rows == cpp.pushed_rows && c.pushed_rows == 1024);
    CHECK(c.reserved == 0 && cpp.reserved == 0);
}

TEST(every_code_has_its_name) {
    CHECK(engine::name(engine::Code::ok) == std::string("OK"));
    CHECK(engine::name(engine::Code::exhausted) == std::string("EXHAUSTED"));
    CHECK(engine::name(engine::Code::internal) == std::string("INTERNAL"));
    CHECK(engine_status_name(14) == std::string("UNKNOWN"));
    CHECK(engine_status_name(-1) == std::string("UNKNOWN"));
}

TEST(a_pipeline_says_what_it_is) {
    engine::Options options = simulated(2.5);
    options.batch = 3;
    options.workers = 2;
    const engine::Pipeline pipeline = open(options);
    const auto info = pipeline.info();
    CHECK_OK(info);
    CHECK(info->width == 192 && info->height == 108 && info->network_side == 32);
    CHECK(info->background_frames == 12 && info->frames_per_second == 25.0);
    CHECK(info->batch == 3 && info->workers == 2);
    CHECK(info->backend == std::string("simulated") && info->provider == std::string("none"));
    CHECK(*info->package != '\0');
}
