#include "loader.h"

#include <dlfcn.h>

#include <stdexcept>

namespace shim {

SharedObject::SharedObject(const std::string& path)
    // RTLD_LOCAL keeps the symbols of two TensorRT libraries in one process apart.
    : path_(path), handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) {
        const char* reason = dlerror();
        throw std::runtime_error(reason != nullptr ? reason : "dlopen gave no reason");
    }
}

void* SharedObject::address(const char* name) const { return dlsym(handle_, name); }

void* SharedObject::required_address(const char* name) const {
    void* found = address(name);
    if (found == nullptr) {
        throw std::runtime_error(path_ + " has no symbol " + name);
    }
    return found;
}

}  // namespace shim
