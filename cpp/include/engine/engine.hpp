// The engine for programs in C++17 and later.
//
//     auto pipeline = engine::Pipeline::open("path/to/avatar");
//     if (!pipeline) return fail(pipeline.message());
//     auto done = pipeline->run([](const engine::FrameView& frame) { show(frame); });
//     if (!done) return fail(done.message());
//
// A layer over engine.h, all in these headers: the program and the library may be built with
// different compilers. It works without exceptions and without run-time type information.
#pragma once

#include "engine/frame.hpp"
#include "engine/log.hpp"
#include "engine/options.hpp"
#include "engine/pipeline.hpp"
#include "engine/result.hpp"
#include "engine/statistics.hpp"
#include "engine/version.hpp"
