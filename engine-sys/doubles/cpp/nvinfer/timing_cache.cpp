#include "timing_cache.h"

#include <functional>
#include <mutex>
#include <sstream>
#include <vector>

namespace fake {
namespace {

constexpr char MAGIC[] = "ENGINE-DOUBLE-TIMING 1";

std::string this_library() {
    return std::string(FLAVOUR) + " " + version();
}

std::mutex lock;
std::set<TimingCache*> alive;

} // namespace

TimingCache::TimingCache(Logger& logger, std::string writer)
    : mLogger(logger), mWriter(std::move(writer)) {
    mImpl = this;
    const std::lock_guard<std::mutex> held(lock);
    alive.insert(this);
}

TimingCache::~TimingCache() noexcept {
    const std::lock_guard<std::mutex> held(lock);
    alive.erase(this);
}

nvinfer1::IHostMemory* TimingCache::serialize() const noexcept {
    if (injected(mLogger, "serializeTimingCache")) {
        return nullptr;
    }
    std::string text = std::string(MAGIC) + "\n" + mWriter + "\n";
    for (const std::string& entry : mEntries) {
        text += entry + "\n";
    }
    return new HostMemory(text);
}

TimingCache* TimingCache::read(Logger& logger, const std::string& bytes) {
    std::istringstream lines(bytes);
    std::vector<std::string> read;
    for (std::string line; std::getline(lines, line);) {
        read.push_back(line);
    }
    if (bytes.empty()) {
        return new TimingCache(logger, this_library());
    }
    if (read.size() < 2 || read[0] != MAGIC || bytes.back() != '\n') {
        log(logger, Severity::kERROR, "the timing cache's bytes are not those of a timing cache");
        return nullptr;
    }
    auto* const cache = new TimingCache(logger, read[1]);
    cache->mEntries.insert(read.begin() + 2, read.end());
    return cache;
}

TimingCache* TimingCache::living(const nvinfer1::ITimingCache* cache) {
    const std::lock_guard<std::mutex> held(lock);
    for (TimingCache* const known : alive) {
        if (known == cache) {
            return known;
        }
    }
    return nullptr;
}

bool TimingCache::fits() const {
    return mWriter == this_library();
}

bool TimingCache::knows(const std::string& plan) {
    return !mEntries.insert(std::to_string(std::hash<std::string>{}(plan))).second;
}

} // namespace fake
