#include "context.h"

#include "driver/driver.h"
#include "probe.h"

#include <algorithm>

namespace fake {
namespace {

// Reachable for as long as the process runs, so that nothing counts it as leaked.
std::mutex kept_lock;
std::vector<void*>& kept() {
    static auto* const all = new std::vector<void*>;
    return *all;
}

template <typename T>
T* keep(T* object) {
    const std::lock_guard<std::mutex> held(kept_lock);
    kept().push_back(object);
    return object;
}

std::string text_of(const char* name) {
    return name == nullptr ? "(null)" : name;
}

std::uint64_t address(const float* memory) {
    return reinterpret_cast<std::uintptr_t>(memory);
}

void run_job(void* job) {
    const Job& asked = *static_cast<const Job*>(job);
    asked.work->run(asked);
}

} // namespace

bool Job::same(const Job& other) const {
    return input == other.input && audio == other.audio && output == other.output
        && frames == other.frames && plane == other.plane && captured == other.captured;
}

Job* Work::add(const Job& job, cudaStream_t stream) {
    const std::lock_guard<std::mutex> held(mLock);
    if (!job.captured) {
        if (mPending > 0 && mStream != stream) {
            misuse("an execution context is enqueued on a second stream while work of it is "
                   "pending on the first");
        }
        mStream = stream;
        ++mPending;
    }
    const auto known = std::find_if(
        mJobs.begin(), mJobs.end(), [&](const Job* other) { return other->same(job); });
    if (known != mJobs.end()) {
        return *known;
    }
    mJobs.push_back(keep(new Job(job)));
    return mJobs.back();
}

void Work::cancel(const Job& job) {
    const std::lock_guard<std::mutex> held(mLock);
    mPending -= job.captured ? 0 : 1;
}

void Work::run(const Job& job) {
    {
        const std::lock_guard<std::mutex> held(mLock);
        if (mClosed) {
            misuse("a graph runs work of an execution context that was destroyed");
        }
        if (mRunning) {
            misuse("two enqueues of one execution context run at the same time");
        }
        mRunning = true;
    }
    probe(job.input, job.audio, job.output, job.frames, job.plane);
    const std::lock_guard<std::mutex> held(mLock);
    mRunning = false;
    mPending -= job.captured ? 0 : 1;
}

void Work::close() {
    const std::lock_guard<std::mutex> held(mLock);
    if (mPending > 0 || mRunning) {
        misuse("an execution context is destroyed while its work is pending on a stream");
    }
    mClosed = true;
}

Context::Context(Engine& engine) : mEngine(engine), mWork(keep(new Work)) {
    mImpl = this;
    mEngine.context_created();
    for (const PlanTensor& tensor : mEngine.plan().tensors) {
        const bool fixed = std::find(tensor.shape.begin(), tensor.shape.end(), -1)
            == tensor.shape.end();
        if (tensor.input && fixed) {
            mShapes[tensor.name] = tensor.shape;
        }
    }
}

Context::~Context() noexcept {
    mWork->close();
    mEngine.context_destroyed();
}

bool Context::refuse(const char* call, const std::string& why) const {
    log(mEngine.logger(), Severity::kERROR,
        "IExecutionContext::%s: Error Code 3: API Usage Error (%s.)", call, why.c_str());
    return false;
}

bool Context::setOptimizationProfileAsync(std::int32_t profile, cudaStream_t) noexcept {
    if (injected(mEngine.logger(), "setOptimizationProfileAsync")) {
        return false;
    }
    mWarm = false;
    return profile == 0
        || refuse("setOptimizationProfileAsync", "there is only profile 0, not "
               + std::to_string(profile));
}

bool Context::setInputShape(const char* name, const nvinfer1::Dims& dims) noexcept {
    if (injected(mEngine.logger(), "setInputShape")) {
        return false;
    }
    const PlanTensor* const tensor = mEngine.plan().find(name);
    if (tensor == nullptr || !tensor->input) {
        return refuse("setInputShape", "no input is called " + text_of(name));
    }
    const Shape shape = shape_of(dims);
    bool fits = shape.size() == tensor->shape.size();
    for (std::size_t at = 0; fits && at < shape.size(); ++at) {
        fits = tensor->profile[0][at] <= shape[at] && shape[at] <= tensor->profile[2][at];
    }
    if (!fits) {
        return refuse("setInputShape", "Set dimension [" + text_of(shape) + "] for tensor "
                + tensor->name + " does not satisfy any optimization profiles. Valid range for "
                + "profile 0: [" + text_of(tensor->profile[0]) + "]..["
                + text_of(tensor->profile[2]) + "]");
    }
    mWarm = mWarm && mShapes[tensor->name] == shape;
    mShapes[tensor->name] = shape;
    return true;
}

bool Context::setTensorAddress(const char* name, void* data) noexcept {
    if (injected(mEngine.logger(), "setTensorAddress")) {
        return false;
    }
    const PlanTensor* const tensor = mEngine.plan().find(name);
    if (tensor == nullptr) {
        return refuse("setTensorAddress", "no tensor is called " + text_of(name));
    }
    mAddresses[tensor->name] = data;
    return true;
}

const void* Context::getTensorAddress(const char* name) const noexcept {
    const auto set = mAddresses.find(text_of(name));
    return set == mAddresses.end() ? nullptr : set->second;
}

// Outputs have the batch of the first input, where that is known.
Shape Context::shape(const PlanTensor& tensor) const {
    const auto set = mShapes.find(tensor.name);
    if (set != mShapes.end()) {
        return set->second;
    }
    Shape shape = tensor.shape;
    for (const PlanTensor& other : mEngine.plan().tensors) {
        const auto input = mShapes.find(other.name);
        if (!tensor.input && input != mShapes.end() && !shape.empty() && shape[0] == -1) {
            shape[0] = input->second[0];
        }
    }
    return shape;
}

nvinfer1::Dims Context::getTensorShape(const char* name) const noexcept {
    const PlanTensor* const tensor = mEngine.plan().find(name);
    return tensor == nullptr ? no_dims() : dims_of(shape(*tensor));
}

bool Context::allInputDimensionsSpecified() const noexcept {
    const auto& tensors = mEngine.plan().tensors;
    return std::all_of(tensors.begin(), tensors.end(), [this](const PlanTensor& tensor) {
        return !tensor.input || mShapes.count(tensor.name) == 1;
    });
}

std::int32_t Context::inferShapes(std::int32_t capacity, const char** names) noexcept {
    if (injected(mEngine.logger(), "inferShapes")) {
        return -1;
    }
    std::int32_t count = 0;
    for (const PlanTensor& tensor : mEngine.plan().tensors) {
        if (tensor.input && mShapes.count(tensor.name) == 0) {
            if (count < capacity) {
                names[count] = tensor.name.c_str();
            }
            ++count;
        }
    }
    return count;
}

std::string Context::missing() const {
    for (const PlanTensor& tensor : mEngine.plan().tensors) {
        if (tensor.input && mShapes.count(tensor.name) == 0) {
            return "the shape of " + tensor.name + " was not set";
        }
        if (getTensorAddress(tensor.name.c_str()) == nullptr) {
            return "Address is not set for " + tensor.name;
        }
    }
    return "";
}

bool Context::job(Job& job) const {
    const PlanTensor* const input = mEngine.plan().find("input");
    const PlanTensor* const audio = mEngine.plan().find("audio");
    const PlanTensor* const output = mEngine.plan().find("output");
    if (input == nullptr || audio == nullptr || output == nullptr
        || mEngine.plan().tensors.size() != 3) {
        return refuse("enqueueV3", "the fake computes networks of input, audio and output only");
    }
    const Shape image = shape(*input);
    const Shape window = shape(*audio);
    const Shape out = shape(*output);
    const bool fits = input->input && audio->input && !output->input && image.size() == 4
        && image[1] == 6 && window == Shape{image[0], 32, 16, 16}
        && out == Shape{image[0], 3, image[2], image[3]};
    if (!fits || input->type != "f32" || audio->type != "f32" || output->type != "f32") {
        return refuse("enqueueV3", "the fake does not compute input " + text_of(image) + " "
                + input->type + ", audio " + text_of(window) + " " + audio->type + ", output "
                + text_of(out) + " " + output->type);
    }
    job.input = static_cast<const float*>(getTensorAddress("input"));
    job.audio = static_cast<const float*>(getTensorAddress("audio"));
    job.output = static_cast<float*>(const_cast<void*>(getTensorAddress("output")));
    job.frames = static_cast<std::size_t>(image[0]);
    job.plane = static_cast<std::size_t>(image[2] * image[3]);
    return true;
}

bool Context::enqueueV3(cudaStream_t stream) noexcept {
    if (injected(mEngine.logger(), "enqueueV3")) {
        return false;
    }
    const Driver* const cuda = driver();
    if (cuda == nullptr) {
        return refuse("enqueueV3", "the fake libcuda is not loaded");
    }
    const std::string lacking = missing();
    if (!lacking.empty()) {
        return refuse("enqueueV3", lacking);
    }
    int capturing = 0;
    if (const int code = cuda->is_capturing(stream, &capturing)) {
        return refuse("enqueueV3", "cuStreamIsCapturing gave " + std::to_string(code));
    }
    // TensorRT finishes a change of shapes in the next enqueue, with calls that no graph can hold.
    if (capturing != 0 && !mWarm) {
        return refuse("enqueueV3",
            "operation not permitted when stream is capturing: these shapes were not enqueued yet");
    }
    Job asked{};
    if (!job(asked)) {
        return false;
    }
    asked.captured = capturing != 0;
    asked.work = mWork;
    Job* const job = mWork->add(asked, stream);
    const std::size_t floats = job->frames * job->plane;
    const std::uint64_t used[] = {address(job->input), address(job->audio), address(job->output)};
    const std::size_t bytes[] = {6 * floats * sizeof(float),
        job->frames * AUDIO_VALUES * sizeof(float), 3 * floats * sizeof(float)};
    if (const int code = cuda->launch(stream, run_job, job, used, bytes, 3)) {
        mWork->cancel(*job);
        return refuse("enqueueV3", "the launch gave " + std::to_string(code));
    }
    mWarm = true;
    return true;
}

} // namespace fake
