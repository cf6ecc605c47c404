// The fake execution context.
#pragma once

#include "engine.h"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace fake {

// What one enqueue computes. The same job serves every enqueue of the same shapes and addresses
// and every replay of a graph, and is never freed: a graph may outlive its context by mistake, and
// then the job says so instead of crashing.
struct Job {
    const float* input;
    const float* audio;
    float* output;
    std::size_t frames;
    std::size_t plane;
    bool captured;
    class Work* work;

    bool same(const Job& other) const;
};

// The work that a context has on its streams. Never freed, for the same reason.
class Work {
public:
    // The job for an enqueue on this stream, counted as pending unless a graph captures it.
    Job* add(const Job& job, cudaStream_t stream);

    // Takes back what add() counted, where the enqueue failed.
    void cancel(const Job& job);

    // On the thread of the stream, when its turn has come.
    void run(const Job& job);

    // The context is destroyed. Its work has to be done by now.
    void close();

private:
    std::mutex mLock;
    std::vector<Job*> mJobs;
    cudaStream_t mStream{nullptr};
    int mPending{0};
    bool mRunning{false};
    bool mClosed{false};
};

class Context final : public nvinfer1::IExecutionContext,
                      public nvinfer1::apiv::StubVExecutionContext {
public:
    explicit Context(Engine& engine);
    ~Context() noexcept override;

    nvinfer1::IExecutionContext* getPImpl() noexcept override { return this; }
    const nvinfer1::ICudaEngine& getEngine() const noexcept override { return mEngine; }
    bool setOptimizationProfileAsync(
        std::int32_t profile, cudaStream_t stream) noexcept override;
    std::int32_t getOptimizationProfile() const noexcept override { return 0; }
    bool setInputShape(const char* name, const nvinfer1::Dims& dims) noexcept override;
    bool setTensorAddress(const char* name, void* data) noexcept override;
    const void* getTensorAddress(const char* name) const noexcept override;
    nvinfer1::Dims getTensorShape(const char* name) const noexcept override;
    bool allInputDimensionsSpecified() const noexcept override;
    std::int32_t inferShapes(
        std::int32_t capacity, const char** names) noexcept override;
    bool enqueueV3(cudaStream_t stream) noexcept override;

private:
    bool refuse(const char* call, const std::string& why) const;
    Shape shape(const PlanTensor& tensor) const;
    // What is missing before an enqueue; empty if nothing is.
    std::string missing() const;
    bool job(Job& job) const;

    Alive mAlive{"context"};
    Engine& mEngine;
    std::map<std::string, Shape> mShapes;
    std::map<std::string, void*> mAddresses;
    // Whether the present shapes were enqueued once outside of a capture.
    bool mWarm{false};
    Work* const mWork;
};

} // namespace fake
