#include "driver.h"

#include <dlfcn.h>

#include <initializer_list>

namespace fake {
namespace {

template <typename Function>
bool find(void* library, char const* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
}

bool find_all(Driver& driver) {
    for (char const* const name : {"libcuda.so", "libcuda.so.1"}) {
        if (void* const library = dlopen(name, RTLD_NOLOAD | RTLD_NOW)) {
            bool const complete = find(library, "cuLaunchHostFunc", driver.launch)
                && find(library, "cuStreamIsCapturing", driver.is_capturing);
            dlclose(library);
            return complete;
        }
    }
    return false;
}

} // namespace

Driver const* driver() {
    // Looked up each time, because a test may load the driver after an engine was refused.
    thread_local Driver found;
    return find_all(found) ? &found : nullptr;
}

} // namespace fake
