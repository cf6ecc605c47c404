#include "control.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

namespace {

struct Fault {
    std::string name;
    unsigned remaining; // 0: every call
    int code;
};

struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Fault> faults;
    std::map<std::string, unsigned long> calls;
    unsigned long all_calls = 0;
    std::string log;
    std::FILE *file = nullptr;
    std::map<std::string, long> alive;
    std::map<std::string, unsigned> numbers;
    std::map<std::string, int> running;
    std::set<std::string> held;

    State() {
        if (const char *path = std::getenv("ENGINE_DOUBLES_LOG")) {
            file = std::fopen(path, "a");
            if (!file) double_abort("ENGINE_DOUBLES_LOG=%s cannot be opened", path);
        }
        if (const char *faults_wanted = std::getenv("ENGINE_DOUBLES_FAIL")) parse(faults_wanted);
    }

    void parse(const std::string &text) {
        std::istringstream stream(text);
        for (std::string item; std::getline(stream, item, ',');) {
            char name[128];
            unsigned nth = 0;
            int code = 1;
            if (std::sscanf(item.c_str(), "%127[^=]=%u:%d", name, &nth, &code) < 2)
                double_abort("ENGINE_DOUBLES_FAIL: \"%s\" is not name=nth[:code]", item.c_str());
            faults.push_back({name, nth, code});
        }
    }
};

// Never destroyed: threads of the stand-ins outlive static destructors.
State &state() {
    static State *const instance = new State;
    return *instance;
}

size_t copy_out(const std::string &text, char *buffer, size_t room) {
    if (room > 0) {
        const size_t length = std::min(text.size(), room - 1);
        std::memcpy(buffer, text.data(), length);
        buffer[length] = '\0';
    }
    return text.size();
}

// Reads the environment when the library is loaded rather than at the first call.
const bool loaded = (state(), true);

} // namespace

API int double_call(const char *name) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    ++s.calls[name];
    ++s.all_calls;
    int code = 0;
    for (auto fault = s.faults.begin(); fault != s.faults.end();) {
        const bool meant = fault->name == "*" || fault->name == name;
        if (meant && fault->remaining == 0) {
            code = fault->code;
        } else if (meant && --fault->remaining == 0) {
            code = fault->code;
            fault = s.faults.erase(fault);
            continue;
        }
        ++fault;
    }
    return code;
}

API void double_event(const char *text) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    s.log.append(text).push_back('\n');
    if (s.file) {
        std::fprintf(s.file, "%s\n", text);
        std::fflush(s.file);
    }
}

API void double_alive(const char *kind, int delta) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    s.alive[kind] += delta;
}

API unsigned double_number(const char *kind) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    return ++s.numbers[kind];
}

API void double_begin(const char *operation) {
    State &s = state();
    std::unique_lock<std::mutex> lock(s.mutex);
    ++s.running[operation];
    s.changed.notify_all();
    s.changed.wait(lock, [&] { return s.held.count(operation) == 0; });
}

API void double_end(const char *operation) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    --s.running[operation];
    s.changed.notify_all();
}

API void double_abort(const char *format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    std::fputs("engine-doubles: ", stderr);
    std::vfprintf(stderr, format, arguments);
    std::fputc('\n', stderr);
    va_end(arguments);
    std::abort();
}

API void double_fail(const char *name, unsigned nth, int code) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    s.faults.push_back({name, nth, code});
}

API unsigned long double_calls(const char *name) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    if (std::strcmp(name, "*") == 0) return s.all_calls;
    const auto found = s.calls.find(name);
    return found == s.calls.end() ? 0 : found->second;
}

API size_t double_events(char *buffer, size_t room) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    return copy_out(s.log, buffer, room);
}

API long double_count(const char *kind) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    if (kind) {
        const auto found = s.alive.find(kind);
        return found == s.alive.end() ? 0 : found->second;
    }
    long total = 0;
    for (const auto &entry : s.alive) total += entry.second;
    return total;
}

API size_t double_census(char *buffer, size_t room) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    std::string text;
    for (const auto &entry : s.alive)
        if (entry.second != 0) text += entry.first + " " + std::to_string(entry.second) + "\n";
    return copy_out(text, buffer, room);
}

API void double_hold(const char *operation) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    s.held.insert(operation);
}

API void double_release(const char *operation) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    s.held.erase(operation);
    s.changed.notify_all();
}

API void double_wait_running(const char *operation, int n) {
    State &s = state();
    std::unique_lock<std::mutex> lock(s.mutex);
    const auto enough = [&] { return s.running[operation] >= n; };
    if (!s.changed.wait_for(lock, std::chrono::seconds(60), enough))
        double_abort("waited 60 s for %d running \"%s\", there are %d", n, operation,
                     s.running[operation]);
}

API void double_reset(void) {
    State &s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    s.faults.clear();
    s.calls.clear();
    s.all_calls = 0;
    s.log.clear();
    s.alive.clear();
    s.numbers.clear();
    s.held.clear();
    s.changed.notify_all();
}
