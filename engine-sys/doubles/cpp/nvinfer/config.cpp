#include "config.h"

#include "builder.h"

namespace fake {
namespace {

nvinfer1::BuilderFlags bit(nvinfer1::BuilderFlag flag) {
    return nvinfer1::BuilderFlags{1} << static_cast<std::uint32_t>(flag);
}

} // namespace

Config::Config(Builder& builder) : mBuilder(builder) {
    mImpl = this;
    mBuilder.child_created();
}

Config::~Config() noexcept {
    mBuilder.child_destroyed();
}

std::int32_t Config::addOptimizationProfile(
    const nvinfer1::IOptimizationProfile* profile) noexcept {
    if (injected(mBuilder.logger(), "addOptimizationProfile")) {
        return -1;
    }
    if (profile == nullptr || !profile->isValid()) {
        log(mBuilder.logger(), Severity::kERROR,
            "Error Code 4: API Usage Error (the optimization profile is not valid: each input "
            "needs min <= opt <= max.)");
        return -1;
    }
    mProfiles.push_back(static_cast<const Profile*>(profile));
    return static_cast<std::int32_t>(mProfiles.size()) - 1;
}

std::int32_t Config::getNbOptimizationProfiles() const noexcept {
    return static_cast<std::int32_t>(mProfiles.size());
}

void Config::setMemoryPoolLimit(nvinfer1::MemoryPoolType pool, std::size_t bytes) noexcept {
    mPools[pool] = bytes;
}

std::size_t Config::getMemoryPoolLimit(nvinfer1::MemoryPoolType pool) const noexcept {
    const auto set = mPools.find(pool);
    return set == mPools.end() ? std::size_t{1} << 30U : set->second;
}

void Config::setFlag(nvinfer1::BuilderFlag flag) noexcept {
    mFlags |= bit(flag);
}

void Config::clearFlag(nvinfer1::BuilderFlag flag) noexcept {
    mFlags &= ~bit(flag);
}

bool Config::getFlag(nvinfer1::BuilderFlag flag) const noexcept {
    return (mFlags & bit(flag)) != 0;
}

void Config::setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel level) noexcept {
    mHardware = level;
}

nvinfer1::HardwareCompatibilityLevel Config::getHardwareCompatibilityLevel() const noexcept {
    return mHardware;
}

void Config::setProgressMonitor(nvinfer1::IProgressMonitor* monitor) noexcept {
    mMonitor = monitor;
}

nvinfer1::ITimingCache* Config::createTimingCache(
    const void* blob, std::size_t size) const noexcept {
    if (injected(mBuilder.logger(), "createTimingCache")) {
        return nullptr;
    }
    const auto* const bytes = static_cast<const char*>(blob);
    return TimingCache::read(mBuilder.logger(), std::string(size == 0 ? "" : bytes, size));
}

bool Config::setTimingCache(
    const nvinfer1::ITimingCache& cache, bool ignoreMismatch) noexcept {
    if (injected(mBuilder.logger(), "setTimingCache")) {
        return false;
    }
    const TimingCache* const known = TimingCache::living(&cache);
    if (known == nullptr) {
        misuse("setTimingCache was given a cache that does not live");
    }
    if (!known->fits() && !ignoreMismatch) {
        log(mBuilder.logger(), Severity::kERROR,
            "the timing cache was written by another version of TensorRT");
        return false;
    }
    mCache = &cache;
    return true;
}

} // namespace fake
