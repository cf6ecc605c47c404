#include "state.h"

#include <cstdlib>

namespace cuda {

State &state() {
    static State *const instance = new State;
    return *instance;
}

long long setting(const char *name, long long otherwise) {
    const char *text = std::getenv(name);
    return text ? std::atoll(text) : otherwise;
}

} // namespace cuda
