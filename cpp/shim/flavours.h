// The entry points of each flavour; a build has those whose headers it found.
#pragma once

#include <memory>
#include <string>

#include "shim.h"

#define SHIM_FLAVOUR_ENTRY_POINTS(name)                                                    \
    namespace shim::name {                                                                 \
    Version headers();                                                                     \
    std::unique_ptr<Library> open(const std::string& path, rust::Box<LogSink> log);        \
    }

SHIM_FLAVOUR_ENTRY_POINTS(flavour_10)
SHIM_FLAVOUR_ENTRY_POINTS(flavour_11)
SHIM_FLAVOUR_ENTRY_POINTS(flavour_rtx)

#undef SHIM_FLAVOUR_ENTRY_POINTS
