// A run in numbers. These are the structs of engine.h, which says what each field is.
#pragma once

#include "engine/engine.h"

namespace engine {
inline namespace v0_1 {

// A set of measurements; not a number where there are too few.
using Summary = engine_summary;
// What a run did, as `engine-cli bench` reports it.
using Statistics = engine_statistics;
// Frames per second of each stage with nothing else running.
using StageRates = engine_stage_rates;
// What a pipeline is. Its texts are valid as long as the pipeline.
using Info = engine_info;

}  // namespace v0_1
}  // namespace engine
