// The driver's state: one device, its memory, streams, events and graphs.
//
// Device memory is host memory. A stream is a thread with a queue. One mutex guards everything but
// the work itself, which runs outside of it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "control/control.h"

#define API extern "C" __attribute__((visibility("default")))

// Every function of the driver begins with this: counts the call and fails it where a test wants.
#define ENTER()                                                                                    \
    if (const int wanted = double_call(__func__)) return wanted

// Functions that end an object do so even when they fail: the driver's do, they report errors of
// earlier work.
#define ENTER_END() const int wanted = double_call(__func__)

// The calling thread needs a context.
#define NEED_CONTEXT()                                                                             \
    if (const int missing = context_error()) return missing

namespace cuda {

enum Result : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_PTX = 218,
    INVALID_HANDLE = 400,
    ILLEGAL_STATE = 401,
    NOT_FOUND = 500,
    NOT_READY = 600,
    CONTEXT_IS_DESTROYED = 709,
    NOT_SUPPORTED = 801,
    STREAM_CAPTURE_UNSUPPORTED = 900,
    STREAM_CAPTURE_INVALIDATED = 901,
    CAPTURED_EVENT = 907,
    STREAM_CAPTURE_WRONG_THREAD = 908,
};

// Memory of the host (pinned) or of the device.
struct Allocation {
    std::uintptr_t address;
    std::size_t size;
    bool pinned;
    bool freed = false;
    // Operations that are queued or running and touch it.
    int uses = 0;
};

struct Event {
    unsigned number;
    unsigned flags;
    // Records asked for and records reached: the event is complete when they are equal.
    unsigned long issued = 0;
    unsigned long reached = 0;
    std::chrono::steady_clock::time_point time;
    bool captured = false;
};

// Something a stream does. Graphs keep these and queue them again at every launch.
struct Operation {
    const char *name;
    std::function<void()> work;
    std::vector<std::shared_ptr<Allocation>> uses;
    // The event this records, and which of its records.
    std::shared_ptr<Event> records;
    unsigned long ticket = 0;
    // The event this waits for, and until which of its records.
    std::shared_ptr<Event> awaits;
    unsigned long until = 0;
};

struct Graph {
    std::vector<Operation> operations;
};

// What was loaded as PTX.
struct Module {
    std::string text;
};

struct Kernel;

// A kernel of a module.
struct Function {
    std::weak_ptr<Module> module;
    const Kernel *kernel;
};

struct Capture {
    std::vector<Operation> operations;
    std::thread::id thread;
    int mode;
    bool invalid = false;
};

struct Stream {
    unsigned number;
    std::deque<Operation> queue;
    bool busy = false;
    bool ended = false;
    std::unique_ptr<Capture> capture;
};

// Handles are addresses of these and are never given out twice, so that a second end is noticed.
template <class T> class Handles {
  public:
    explicit Handles(const char *kind) : kind_(kind) {}

    void *add(std::shared_ptr<T> object) {
        void *handle = new char;
        objects_[handle] = std::move(object);
        double_alive(kind_, 1);
        return handle;
    }

    // Null when there never was such a handle. Aborts when it has ended.
    std::shared_ptr<T> find(void *handle) const {
        const auto found = objects_.find(handle);
        if (found == objects_.end()) return nullptr;
        if (!found->second) double_abort("a %s is used after its end", kind_);
        return found->second;
    }

    // Ends the handle. Null when there never was one. Aborts when it has ended before.
    std::shared_ptr<T> end(void *handle) {
        std::shared_ptr<T> object = find(handle);
        if (object) {
            objects_[handle] = nullptr;
            double_alive(kind_, -1);
        }
        return object;
    }

    std::vector<std::shared_ptr<T>> live() const {
        std::vector<std::shared_ptr<T>> objects;
        for (const auto &entry : objects_)
            if (entry.second) objects.push_back(entry.second);
        return objects;
    }

  private:
    const char *kind_;
    std::unordered_map<void *, std::shared_ptr<T>> objects_;
};

struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool initialized = false;
    int context_references = 0;
    std::map<std::uintptr_t, std::shared_ptr<Allocation>> memory;
    std::size_t used[2] = {0, 0}; // device, pinned
    Handles<Stream> streams{"stream"};
    Handles<Event> events{"event"};
    Handles<Graph> graphs{"graph"};
    Handles<Graph> graph_execs{"graph_exec"};
    Handles<Module> modules{"module"};
    std::unordered_map<void *, Function> functions;
    std::shared_ptr<Stream> default_stream;
};

// Never destroyed: stream threads outlive static destructors.
State &state();

using Lock = std::unique_lock<std::mutex>;

// The value of an environment variable, or `otherwise`.
long long setting(const char *name, long long otherwise);

// The error that a call without a usable context gets, or 0.
int context_error();


// The stream behind a handle; null, 1 and 2 are the default stream. Null for unknown handles.
std::shared_ptr<Stream> find_stream(void *handle);

std::shared_ptr<Stream> make_stream();

// Queues the operation, or adds it to the graph that the stream captures.
int submit(const std::shared_ptr<Stream> &stream, Operation operation);

// Waits until the stream has done everything.
void drain(Lock &lock, const std::shared_ptr<Stream> &stream);

// Allocating, freeing and waiting end a capture of this thread that was not begun as relaxed.
// Returns the error for that, or 0.
int forbidden_while_capturing();

// The live allocation that holds [address, address + bytes). Null when nothing is there or it is
// too short. Aborts when it was freed.
std::shared_ptr<Allocation> find_memory(std::uintptr_t address, std::size_t bytes, bool pinned);

} // namespace cuda
