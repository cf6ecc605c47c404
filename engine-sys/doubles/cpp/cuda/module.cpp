// Modules of PTX, and their kernels. Nothing of the PTX is executed: a kernel that it declares runs as
// the same source compiled for the host.
#include <cstring>
#include <string>

#include "kernels.h"
#include "state.h"

using namespace cuda;

API int cuModuleLoad(void **, const char *) {
    ENTER();
    return NOT_SUPPORTED;
}

API int cuModuleLoadData(void **handle, const void *image) {
    ENTER();
    NEED_CONTEXT();
    const char *text = static_cast<const char *>(image);
    if (!std::strstr(text, ".entry")) return INVALID_PTX;
    State &s = state();
    Lock lock(s.mutex);
    if (const int forbidden = forbidden_while_capturing()) return forbidden;
    auto module = std::make_shared<Module>();
    module->text = text;
    *handle = s.modules.add(module);
    return SUCCESS;
}

API int cuModuleGetFunction(void **function, void *handle, const char *name) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto module = s.modules.find(handle);
    if (!module) return INVALID_HANDLE;
    const Kernel *kernel = find_kernel(name);
    const std::string declared = std::string(".entry ") + name + "(";
    if (!kernel || module->text.find(declared) == std::string::npos) return NOT_FOUND;
    // As handles of other things, never given out twice.
    *function = new char;
    s.functions[*function] = {module, kernel};
    return SUCCESS;
}

API int cuModuleUnload(void *handle) {
    ENTER_END();
    NEED_CONTEXT();
    Lock lock(state().mutex);
    if (!state().modules.end(handle)) return INVALID_HANDLE;
    return wanted;
}

API int cuFuncGetAttribute(int *, int, void *) {
    ENTER();
    return NOT_SUPPORTED;
}

API int cuLaunchKernel(void *handle, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                       unsigned block_x, unsigned block_y, unsigned block_z, unsigned,
                       void *stream_handle, void **parameters, void **) {
    ENTER();
    NEED_CONTEXT();
    State &s = state();
    Lock lock(s.mutex);
    const auto found = s.functions.find(handle);
    if (found == s.functions.end()) return INVALID_HANDLE;
    if (found->second.module.expired()) double_abort("a kernel is launched after its module's end");
    const Kernel &kernel = *found->second.kernel;
    const auto stream = find_stream(stream_handle);
    if (!stream) return INVALID_HANDLE;
    // What every device allows.
    const Extent grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
    const auto threads = 1ULL * block.x * block.y * block.z;
    if (threads == 0 || threads > 1024 || 1ULL * grid.x * grid.y * grid.z == 0 ||
        grid.y > 65535 || grid.z > 65535)
        return INVALID_VALUE;

    // The driver copies the parameters at once, too.
    auto copies = std::make_shared<std::vector<std::vector<char>>>();
    Operation operation{kernel.name, nullptr, {}, nullptr, 0, nullptr, 0};
    for (const Parameter &parameter : kernel.parameters) {
        const char *value = static_cast<const char *>(parameters[copies->size()]);
        copies->emplace_back(value, value + parameter.bytes);
        if (!parameter.pointer) continue;
        std::uintptr_t address;
        std::memcpy(&address, value, sizeof address);
        auto memory = find_memory(address, 1, false);
        if (!memory) return INVALID_VALUE;
        operation.uses.push_back(std::move(memory));
    }
    operation.work = [copies, &kernel, grid, block] {
        std::vector<void *> values;
        for (std::vector<char> &copy : *copies) values.push_back(copy.data());
        kernel.run(values.data(), grid, block);
    };
    return submit(stream, std::move(operation));
}

// NVRTC asks for tables of functions that only NVIDIA's own libraries know, and does without; a
// driver that lacks this function it does not expect.
API int cuGetExportTable(const void **table, const void *) {
    ENTER();
    *table = nullptr;
    return NOT_FOUND;
}
