// Memory of the device and pinned memory of the host, and copies between them.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "state.h"

using namespace cuda;

namespace {

// What fresh memory holds: a NaN wherever floats are read before they were written.
constexpr int FRESH = 0xFF;

std::size_t room() {
    return static_cast<std::size_t>(setting("ENGINE_DOUBLES_MEMORY", 8LL << 30));
}

std::size_t up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

std::size_t page() {
    static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
}

// Pages that nobody may touch, one behind the other, so that what was freed is one mapping to the
// system, which has a limit for their number. Null when there are none.
char *reserve(std::size_t bytes) {
    constexpr std::size_t CHUNK = 16UL << 30;
    static char *next = nullptr;
    static std::size_t left = 0;
    if (bytes > left) {
        const std::size_t size = bytes > CHUNK ? bytes : CHUNK;
        void *chunk = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                           -1, 0);
        if (chunk == MAP_FAILED) return nullptr;
        next = static_cast<char *>(chunk);
        left = size;
    }
    char *reserved = next;
    next += bytes;
    left -= bytes;
    return reserved;
}

// Memory as the driver aligns it, at the end of its pages and before one that nobody may touch, so
// that whoever goes on beyond the end crashes on the spot. Null when there is none.
void *map(std::size_t bytes) {
    const std::size_t pages = up(bytes, page());
    char *memory = reserve(pages + page());
    if (!memory || mprotect(memory, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
    constexpr std::size_t ALIGNMENT = 256;
    return memory + (pages - up(bytes, ALIGNMENT));
}

// The addresses are never given out again, and whoever still uses them crashes on the spot.
bool unmap(std::uintptr_t address, std::size_t bytes) {
    void *memory = reinterpret_cast<void *>(address / page() * page());
    return mmap(memory, up(bytes, page()), PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

int allocate(void **address, std::size_t bytes, bool pinned) {
    if (!address || bytes == 0) return INVALID_VALUE;
    State &s = state();
    Lock lock(s.mutex);
    if (const int forbidden = forbidden_while_capturing()) return forbidden;
    if (bytes > room() || s.used[pinned] > room() - bytes) return OUT_OF_MEMORY;
    void *memory = map(bytes);
    if (!memory) return OUT_OF_MEMORY;
    std::memset(memory, FRESH, bytes);
    const auto start = reinterpret_cast<std::uintptr_t>(memory);
    auto allocation = std::make_shared<Allocation>();
    allocation->address = start;
    allocation->size = bytes;
    allocation->pinned = pinned;
    s.memory[start] = allocation;
    s.used[pinned] += bytes;
    double_alive(pinned ? "pinned" : "device", 1);
    *address = memory;
    return SUCCESS;
}

int release(std::uintptr_t address, bool pinned) {
    State &s = state();
    Lock lock(s.mutex);
    if (const int forbidden = forbidden_while_capturing()) return forbidden;
    const char *kind = pinned ? "pinned" : "device";
    const auto found = s.memory.find(address);
    if (found == s.memory.end() || found->second->pinned != pinned) return INVALID_VALUE;
    Allocation &allocation = *found->second;
    if (allocation.freed) double_abort("%s memory is freed twice", kind);
    if (allocation.uses > 0)
        double_abort("%s memory is freed while %d queued operations use it", kind,
                     allocation.uses);
    allocation.freed = true;
    s.used[pinned] -= allocation.size;
    double_alive(kind, -1);
    if (!unmap(address, allocation.size)) double_abort("%s memory cannot be taken back", kind);
    return SUCCESS;
}

struct Copy {
    std::uintptr_t to;
    std::uintptr_t from;
    std::size_t bytes;
    void operator()() const {
        std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes);
    }
};

// Host to device or back. Memory that is not pinned is copied before the call returns, as the
// driver does.
int copy(const char *name, Copy work, bool upload, void *handle, bool wait) {
    State &s = state();
    Lock lock(s.mutex);
    if (work.bytes == 0) return SUCCESS;
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    const std::uintptr_t host = upload ? work.from : work.to;
    const auto on_device = find_memory(upload ? work.to : work.from, work.bytes, false);
    const auto on_host = find_memory(host, work.bytes, true);
    if (!on_device) return INVALID_VALUE;
    if (!on_host || wait)
        if (const int forbidden = forbidden_while_capturing()) return forbidden;
    Operation operation{name, work, {on_device}, nullptr, 0, nullptr, 0};
    if (on_host) operation.uses.push_back(on_host);
    if (const int failed = submit(stream, std::move(operation))) return failed;
    if (!on_host || wait) drain(lock, stream);
    return SUCCESS;
}

int device_operation(const char *name, std::function<void()> work,
                     std::vector<std::shared_ptr<Allocation>> uses, void *handle, bool wait,
                     Lock &lock) {
    const auto stream = find_stream(handle);
    if (!stream) return INVALID_HANDLE;
    for (const auto &use : uses)
        if (!use) return INVALID_VALUE;
    if (const int failed =
            submit(stream, {name, std::move(work), std::move(uses), nullptr, 0, nullptr, 0}))
        return failed;
    if (wait) drain(lock, stream);
    return SUCCESS;
}

int copy_on_device(Copy work, void *handle, bool wait) {
    Lock lock(state().mutex);
    if (work.bytes == 0) return SUCCESS;
    return device_operation("copy", work,
                            {find_memory(work.to, work.bytes, false),
                             find_memory(work.from, work.bytes, false)},
                            handle, wait, lock);
}

int fill(std::uintptr_t to, unsigned char value, std::size_t bytes, void *handle, bool wait) {
    Lock lock(state().mutex);
    if (bytes == 0) return SUCCESS;
    const auto work = [=] { std::memset(reinterpret_cast<void *>(to), value, bytes); };
    return device_operation("memset", work, {find_memory(to, bytes, false)}, handle, wait, lock);
}

std::uintptr_t number(const void *pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

} // namespace

namespace cuda {

std::shared_ptr<Allocation> find_memory(std::uintptr_t address, std::size_t bytes, bool pinned) {
    State &s = state();
    auto entry = s.memory.upper_bound(address);
    if (entry == s.memory.begin()) return nullptr;
    const std::shared_ptr<Allocation> allocation = std::prev(entry)->second;
    const std::size_t offset = address - allocation->address;
    if (offset >= allocation->size || allocation->pinned != pinned) return nullptr;
    if (allocation->freed)
        double_abort("%s memory is used after it was freed", pinned ? "pinned" : "device");
    return bytes <= allocation->size - offset ? allocation : nullptr;
}

} // namespace cuda

API int cuMemAlloc_v2(std::uint64_t *address, std::size_t bytes) {
    ENTER();
    NEED_CONTEXT();
    void *memory = nullptr;
    const int result = allocate(&memory, bytes, false);
    if (result == SUCCESS) *address = number(memory);
    return result;
}

API int cuMemFree_v2(std::uint64_t address) {
    ENTER_END();
    NEED_CONTEXT();
    const int result = address == 0 ? SUCCESS : release(address, false);
    return wanted ? wanted : result;
}

API int cuMemAllocAsync(std::uint64_t *address, std::size_t bytes, void *) {
    ENTER();
    NEED_CONTEXT();
    void *memory = nullptr;
    const int result = allocate(&memory, bytes, false);
    if (result == SUCCESS) *address = number(memory);
    return result;
}

API int cuMemFreeAsync(std::uint64_t address, void *handle) {
    ENTER_END();
    NEED_CONTEXT();
    {
        State &s = state();
        Lock lock(s.mutex);
        const auto stream = find_stream(handle);
        if (!stream) return INVALID_HANDLE;
        // Sooner than the driver: what is queued before the free has to be done first.
        drain(lock, stream);
    }
    const int result = release(address, false);
    return wanted ? wanted : result;
}

API int cuMemHostAlloc(void **address, std::size_t bytes, unsigned) {
    ENTER();
    NEED_CONTEXT();
    return allocate(address, bytes, true);
}

API int cuMemAllocHost_v2(void **address, std::size_t bytes) {
    ENTER();
    NEED_CONTEXT();
    return allocate(address, bytes, true);
}

API int cuMemFreeHost(void *address) {
    ENTER_END();
    NEED_CONTEXT();
    const int result = release(number(address), true);
    return wanted ? wanted : result;
}

API int cuMemGetInfo_v2(std::size_t *unused, std::size_t *total) {
    ENTER();
    NEED_CONTEXT();
    Lock lock(state().mutex);
    *total = room();
    *unused = *total - state().used[0];
    return SUCCESS;
}

API int cuMemcpyHtoDAsync_v2(std::uint64_t to, const void *from, std::size_t bytes, void *stream) {
    ENTER();
    NEED_CONTEXT();
    return copy("upload", {to, number(from), bytes}, true, stream, false);
}

API int cuMemcpyDtoHAsync_v2(void *to, std::uint64_t from, std::size_t bytes, void *stream) {
    ENTER();
    NEED_CONTEXT();
    return copy("download", {number(to), from, bytes}, false, stream, false);
}

API int cuMemcpyHtoD_v2(std::uint64_t to, const void *from, std::size_t bytes) {
    ENTER();
    NEED_CONTEXT();
    return copy("upload", {to, number(from), bytes}, true, nullptr, true);
}

API int cuMemcpyDtoH_v2(void *to, std::uint64_t from, std::size_t bytes) {
    ENTER();
    NEED_CONTEXT();
    return copy("download", {number(to), from, bytes}, false, nullptr, true);
}

API int cuMemcpyDtoDAsync_v2(std::uint64_t to, std::uint64_t from, std::size_t bytes,
                             void *stream) {
    ENTER();
    NEED_CONTEXT();
    return copy_on_device({to, from, bytes}, stream, false);
}

API int cuMemcpyDtoD_v2(std::uint64_t to, std::uint64_t from, std::size_t bytes) {
    ENTER();
    NEED_CONTEXT();
    return copy_on_device({to, from, bytes}, nullptr, true);
}

API int cuMemsetD8Async(std::uint64_t to, unsigned char value, std::size_t bytes, void *stream) {
    ENTER();
    NEED_CONTEXT();
    return fill(to, value, bytes, stream, false);
}

API int cuMemsetD8_v2(std::uint64_t to, unsigned char value, std::size_t bytes) {
    ENTER();
    NEED_CONTEXT();
    return fill(to, value, bytes, nullptr, true);
}
