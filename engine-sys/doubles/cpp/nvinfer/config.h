// Builder configurations.
#pragma once

#include "profile.h"
#include "timing_cache.h"

#include <map>
#include <vector>

namespace fake {

class Builder;

class Config final : public nvinfer1::IBuilderConfig, public nvinfer1::apiv::StubVBuilderConfig {
public:
    explicit Config(Builder& builder);
    ~Config() noexcept override;

    std::int32_t addOptimizationProfile(
        const nvinfer1::IOptimizationProfile* profile) noexcept override;
    std::int32_t getNbOptimizationProfiles() const noexcept override;
    void setMemoryPoolLimit(nvinfer1::MemoryPoolType pool, std::size_t bytes) noexcept override;
    std::size_t getMemoryPoolLimit(nvinfer1::MemoryPoolType pool) const noexcept override;
    void setFlags(nvinfer1::BuilderFlags flags) noexcept override { mFlags = flags; }
    nvinfer1::BuilderFlags getFlags() const noexcept override { return mFlags; }
    void setFlag(nvinfer1::BuilderFlag flag) noexcept override;
    void clearFlag(nvinfer1::BuilderFlag flag) noexcept override;
    bool getFlag(nvinfer1::BuilderFlag flag) const noexcept override;
    void setHardwareCompatibilityLevel(
        nvinfer1::HardwareCompatibilityLevel level) noexcept override;
    nvinfer1::HardwareCompatibilityLevel getHardwareCompatibilityLevel() const noexcept override;
    void setProgressMonitor(nvinfer1::IProgressMonitor* monitor) noexcept override;
    nvinfer1::IProgressMonitor* getProgressMonitor() const noexcept override { return mMonitor; }
    nvinfer1::ITimingCache* createTimingCache(
        const void* blob, std::size_t size) const noexcept override;
    bool setTimingCache(
        const nvinfer1::ITimingCache& cache, bool ignoreMismatch) noexcept override;
    const nvinfer1::ITimingCache* getTimingCache() const noexcept override { return mCache; }

    // Accepted and without effect.
    void setProfilingVerbosity(nvinfer1::ProfilingVerbosity) noexcept override {}
    void setBuilderOptimizationLevel(std::int32_t) noexcept override {}

    const Profile* profile() const { return mProfiles.empty() ? nullptr : mProfiles.front(); }

private:
    Alive mAlive{"config"};
    Builder& mBuilder;
    std::vector<const Profile*> mProfiles;
    std::map<nvinfer1::MemoryPoolType, std::size_t> mPools;
    nvinfer1::BuilderFlags mFlags{0};
    nvinfer1::HardwareCompatibilityLevel mHardware{nvinfer1::HardwareCompatibilityLevel::kNONE};
    nvinfer1::IProgressMonitor* mMonitor{nullptr};
    const nvinfer1::ITimingCache* mCache{nullptr};
};

} // namespace fake
