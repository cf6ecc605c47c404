// Timing caches: which networks were built before.
#pragma once

#include "objects.h"

#include <set>
#include <string>

namespace fake {

class TimingCache final : public nvinfer1::ITimingCache, public nvinfer1::apiv::StubVTimingCache {
public:
    ~TimingCache() noexcept override;

    nvinfer1::IHostMemory* serialize() const noexcept override;

    // An empty cache for no bytes; nullptr and an error in the log for bytes that serialize() did
    // not write.
    static TimingCache* read(Logger& logger, const std::string& bytes);

    // The cache behind the interface, or nullptr where that one was destroyed.
    static TimingCache* living(const nvinfer1::ITimingCache* cache);

    // Whether it was written by this flavour and version.
    bool fits() const;

    // Whether this plan was built with the cache before. From now on it was.
    bool knows(const std::string& plan);

private:
    TimingCache(Logger& logger, std::string writer);

    Alive mAlive{"timing_cache"};
    Logger& mLogger;
    std::string mWriter; // flavour and version
    std::set<std::string> mEntries;
};

} // namespace fake
