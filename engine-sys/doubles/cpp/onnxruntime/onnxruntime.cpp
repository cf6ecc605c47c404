// ONNX Runtime as it is with a CUDA provider, over the fake driver: the real library's functions but
// for those of the provider. What a session of the provider is to run is queued on the stream that
// it was given, where the real library's CPU provider does it: the device's memory is the host's.
#include "onnxruntime.h"

#include "control/control.h"
#include "driver/driver.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

namespace fake {
namespace {

// The provider's options.
using Options = std::map<std::string, std::string>;

// A session of the provider.
struct Session {
    void* stream;
    // What it has queued and not done.
    int queued = 0;
    // Tables in host memory, one a run, that it keeps until a run waits.
    int tables = 0;
};

// A run on its way.
struct Job {
    Session* session;
    void* handle;
    const void* options;
    std::vector<std::string> names;
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
};

struct State {
    std::mutex mutex;
    std::string real;
    std::array<Function, FUNCTIONS> table;
    const Function* functions = nullptr;
    // The stream that sessions made with these options are to use.
    std::map<const void*, void*> streams;
    std::map<const void*, Session> sessions;
    // Options of runs that return before the device is done.
    std::map<const void*, bool> at_once;
    // What was said to be in the device's memory.
    std::set<const void*> device_infos, device_values;
    std::list<Job> jobs;
};

State& state() {
    static State* const kept = new State;
    return *kept;
}

using Lock = std::lock_guard<std::mutex>;

template <std::size_t position, typename Type> Type* real() {
    return reinterpret_cast<Type*>(state().functions[position]);
}

Status fail(const std::string& message) {
    return real<KCreateStatus, CreateStatus>()(ORT_FAIL, message.c_str());
}

Status injected(const char* call) {
    const int code = double_call(call);
    if (code == 0) return nullptr;
    return fail("CUDA failure " + std::to_string(code) + ": as the test asked");
}

Status create_memory_info(const char* name, int type, int id, int kind, void** info) {
    const bool device = std::strcmp(name, "Cuda") == 0;
    if (device) name = "Cpu";
    Status failed = real<KCreateMemoryInfo, decltype(create_memory_info)>()(
        name, type, device ? 0 : id, kind, info);
    if (!failed && device) {
        State& s = state();
        const Lock lock(s.mutex);
        s.device_infos.insert(*info);
    }
    return failed;
}

Status name_of_memory_info(const void* info, const char** name) {
    State& s = state();
    const Lock lock(s.mutex);
    if (s.device_infos.count(info)) {
        *name = "Cuda";
        return nullptr;
    }
    return real<KMemoryInfoGetName, decltype(name_of_memory_info)>()(info, name);
}

void release_memory_info(void* info) {
    State& s = state();
    {
        const Lock lock(s.mutex);
        s.device_infos.erase(info);
    }
    real<KReleaseMemoryInfo, decltype(release_memory_info)>()(info);
}

Status create_tensor(const void* info, void* data, std::size_t bytes, const std::int64_t* shape,
    std::size_t rank, int type, void** value) {
    Status failed = real<KCreateTensorWithDataAsOrtValue, decltype(create_tensor)>()(
        info, data, bytes, shape, rank, type, value);
    State& s = state();
    const Lock lock(s.mutex);
    if (!failed && s.device_infos.count(info)) s.device_values.insert(*value);
    return failed;
}

void release_value(void* value) {
    State& s = state();
    {
        const Lock lock(s.mutex);
        s.device_values.erase(value);
    }
    real<KReleaseValue, decltype(release_value)>()(value);
}

Status create_provider_options(Options** options) {
    *options = new Options;
    return nullptr;
}

Status update_provider_options(
    Options* options, const char* const* keys, const char* const* values, std::size_t count) {
    // As with the real one, each update begins with the defaults.
    options->clear();
    for (std::size_t i = 0; i < count; ++i) (*options)[keys[i]] = values[i];
    return nullptr;
}

void release_provider_options(Options* options) { delete options; }

Status append_provider(void* session_options, const Options* options) {
    if (Status failed = injected("SessionOptionsAppendExecutionProvider_CUDA_V2")) return failed;
    const auto has = options->find("has_user_compute_stream");
    const auto stream = options->find("user_compute_stream");
    if (has == options->end() || has->second != "1" || stream == options->end()) {
        double_abort("a session of the CUDA provider was given no stream");
    }
    State& s = state();
    const Lock lock(s.mutex);
    s.streams[session_options]
        = reinterpret_cast<void*>(std::strtoull(stream->second.c_str(), nullptr, 0));
    return nullptr;
}

void release_session_options(void* options) {
    State& s = state();
    {
        const Lock lock(s.mutex);
        s.streams.erase(options);
    }
    real<KReleaseSessionOptions, decltype(release_session_options)>()(options);
}

Status create_session(const void* env, const char* path, const void* options, void** session) {
    State& s = state();
    void* stream = nullptr;
    {
        const Lock lock(s.mutex);
        const auto found = s.streams.find(options);
        if (found != s.streams.end()) stream = found->second;
    }
    if (stream) {
        if (Status failed = injected("CreateSession")) return failed;
    }
    Status failed
        = real<KCreateSession, decltype(create_session)>()(env, path, options, session);
    if (!failed && stream) {
        const Lock lock(s.mutex);
        s.sessions[*session].stream = stream;
        double_alive("session", 1);
    }
    return failed;
}

void release_session(void* session) {
    State& s = state();
    {
        const Lock lock(s.mutex);
        const auto found = s.sessions.find(session);
        if (found != s.sessions.end()) {
            const Session& of = found->second;
            if (of.queued > 0) double_abort("a session was released while it runs");
            if (of.tables > 0) double_event("session ends with tables");
            double_alive("table", -of.tables);
            s.sessions.erase(found);
            double_alive("session", -1);
        }
    }
    real<KReleaseSession, decltype(release_session)>()(session);
}

Status add_run_config_entry(void* options, const char* key, const char* value) {
    State& s = state();
    if (std::strcmp(key, "disable_synchronize_execution_providers") == 0) {
        const Lock lock(s.mutex);
        s.at_once[options] = std::strcmp(value, "1") == 0;
    }
    return real<KAddRunConfigEntry, decltype(add_run_config_entry)>()(options, key, value);
}

void release_run_options(void* options) {
    State& s = state();
    {
        const Lock lock(s.mutex);
        s.at_once.erase(options);
    }
    real<KReleaseRunOptions, decltype(release_run_options)>()(options);
}

// Called by the driver, on the stream's thread.
void run_job(void* data) {
    auto& job = *static_cast<std::list<Job>::iterator*>(data);
    std::vector<const char*> names;
    for (const std::string& name : job->names) names.push_back(name.c_str());
    const std::size_t inputs = job->inputs.size();
    double_begin("run");
    Status failed = real<KRun, RunFunction>()(job->handle, job->options, names.data(),
        job->inputs.data(), inputs, names.data() + inputs, job->outputs.size(),
        job->outputs.data());
    double_end("run");
    if (failed) double_abort("%s", real<KGetErrorMessage, GetErrorMessage>()(failed));
    State& s = state();
    const Lock lock(s.mutex);
    --job->session->queued;
    s.jobs.erase(job);
    delete &job;
}

// The memory of a tensor.
void memory_of(void* value, std::vector<std::uint64_t>& addresses, std::vector<std::size_t>& bytes) {
    {
        State& s = state();
        const Lock lock(s.mutex);
        if (!s.device_values.count(value)) {
            double_abort("a session was given a value that is not in the device's memory");
        }
    }
    void* data = nullptr;
    void* info = nullptr;
    std::size_t count = 0;
    const bool known = !real<KGetTensorMutableData, Status(void*, void**)>()(value, &data)
        && !real<KGetTensorTypeAndShape, Status(const void*, void**)>()(value, &info)
        && !real<KGetTensorShapeElementCount, Status(const void*, std::size_t*)>()(info, &count);
    if (!known) double_abort("a session was given a value that is no tensor");
    real<KReleaseTensorTypeAndShapeInfo, void(void*)>()(info);
    addresses.push_back(reinterpret_cast<std::uint64_t>(data));
    bytes.push_back(count * sizeof(float));
}

Status run(void* handle, const void* options, const char* const* input_names,
    const void* const* inputs, std::size_t input_count, const char* const* output_names,
    std::size_t output_count, void** outputs) {
    State& s = state();
    Session* session = nullptr;
    bool at_once = false;
    {
        const Lock lock(s.mutex);
        const auto found = s.sessions.find(handle);
        if (found != s.sessions.end()) session = &found->second;
        const auto entry = s.at_once.find(options);
        at_once = entry != s.at_once.end() && entry->second;
    }
    if (!session) {
        return real<KRun, RunFunction>()(handle, options, input_names, inputs, input_count,
            output_names, output_count, outputs);
    }
    if (Status failed = injected("Run")) return failed;
    const Driver* const cuda = driver();
    if (!cuda) return fail("no CUDA driver is loaded");

    std::vector<std::uint64_t> addresses;
    std::vector<std::size_t> bytes;
    Job job{session, handle, options, {}, std::vector<const void*>(inputs, inputs + input_count),
        std::vector<void*>(outputs, outputs + output_count)};
    for (std::size_t i = 0; i < input_count; ++i) {
        job.names.push_back(input_names[i]);
        memory_of(const_cast<void*>(inputs[i]), addresses, bytes);
    }
    for (std::size_t i = 0; i < output_count; ++i) {
        if (!outputs[i]) double_abort("a session was given no memory for its output");
        job.names.push_back(output_names[i]);
        memory_of(outputs[i], addresses, bytes);
    }
    std::list<Job>::iterator* queued;
    {
        const Lock lock(s.mutex);
        ++session->queued;
        queued = new std::list<Job>::iterator(s.jobs.insert(s.jobs.end(), std::move(job)));
    }
    if (const int code = cuda->launch(session->stream, run_job, queued, addresses.data(),
            bytes.data(), addresses.size())) {
        const Lock lock(s.mutex);
        --session->queued;
        s.jobs.erase(*queued);
        delete queued;
        return fail("CUDA failure " + std::to_string(code) + ": the launch was refused");
    }
    if (!at_once && cuda->synchronize(session->stream) != 0) {
        return fail("CUDA failure: the stream cannot be waited for");
    }
    const int tables = at_once ? 1 : -session->tables;
    session->tables += tables;
    double_alive("table", tables);
    return nullptr;
}

template <typename Type> void replace(std::size_t position, Type* function) {
    state().table[position] = reinterpret_cast<Function>(function);
}

// The real library's functions, with those of the provider in place of its own.
const void* get_api(std::uint32_t version) {
    State& s = state();
    const Lock lock(s.mutex);
    if (!s.functions) {
        const char* const named = std::getenv("ENGINE_DOUBLES_ONNXRUNTIME");
        const std::string path = !s.real.empty() ? s.real : named ? named : "";
        void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (path.empty() || !library) {
            double_abort("no ONNX Runtime; ENGINE_DOUBLES_ONNXRUNTIME names %s: %s",
                path.c_str(), dlerror());
        }
        const auto base = reinterpret_cast<ApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
        if (!base) double_abort("%s is not ONNX Runtime", path.c_str());
        const void* const api = base()->get_api(version);
        if (!api) return nullptr;
        s.functions = static_cast<const Function*>(api);
        std::memcpy(s.table.data(), api, sizeof s.table);
        replace(KAddRunConfigEntry, add_run_config_entry);
        replace(KCreateCUDAProviderOptions, create_provider_options);
        replace(KCreateMemoryInfo, create_memory_info);
        replace(KCreateSession, create_session);
        replace(KReleaseCUDAProviderOptions, release_provider_options);
        replace(KCreateTensorWithDataAsOrtValue, create_tensor);
        replace(KMemoryInfoGetName, name_of_memory_info);
        replace(KReleaseMemoryInfo, release_memory_info);
        replace(KReleaseRunOptions, release_run_options);
        replace(KReleaseSession, release_session);
        replace(KReleaseSessionOptions, release_session_options);
        replace(KReleaseValue, release_value);
        replace(KRun, run);
        replace(KSessionOptionsAppendExecutionProvider_CUDA_V2, append_provider);
        replace(KUpdateCUDAProviderOptions, update_provider_options);
    }
    return s.table.data();
}

const char* get_version() { return "1.99.0"; }

} // namespace
} // namespace fake

API const fake::ApiBase* OrtGetApiBase() {
    static const fake::ApiBase base = {fake::get_api, fake::get_version};
    return &base;
}

// Names the real library, before anything is asked of this one.
API void double_onnxruntime(const char* real) {
    fake::State& s = fake::state();
    const fake::Lock lock(s.mutex);
    s.real = real;
}
