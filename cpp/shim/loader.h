// Run-time loading, shared by all flavours.
#pragma once

#include <string>

namespace shim {

// An open shared library. There is no close: see Library.
class SharedObject {
   public:
    // Throws std::runtime_error with the loader's own words.
    explicit SharedObject(const std::string& path);

    // The address of a symbol, or null.
    template <typename Function>
    Function* find(const char* name) const {
        return reinterpret_cast<Function*>(address(name));
    }

    // The address of a symbol; throws when there is none.
    template <typename Function>
    Function* require(const char* name) const {
        return reinterpret_cast<Function*>(required_address(name));
    }

   private:
    void* address(const char* name) const;
    void* required_address(const char* name) const;

    std::string path_;
    void* handle_;
};

}  // namespace shim
