// Runs the tests of one file: host_tests PACKAGE FILE, such as `host_tests avatar misuse`.
#include <cstring>

#include "support.hpp"

namespace {

struct Registered {
    std::string file;
    const char* name;
    void (*run)();
};

std::vector<Registered>& tests() {
    static std::vector<Registered> list;
    return list;
}

std::string& folder() {
    static std::string path;
    return path;
}

}  // namespace

Test::Test(const char* file, const char* name, void (*run)()) {
    const char* slash = std::strrchr(file, '/');
    tests().push_back({slash != nullptr ? slash + 1 : file, name, run});
}

const std::string& package() { return folder(); }

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: host_tests PACKAGE FILE\n");
        return 2;
    }
    folder() = argv[1];
    int count = 0;
    for (const Registered& test : tests()) {
        if (test.file != std::string(argv[2]) + ".cpp") continue;
        std::printf("%s\n", test.name);
        std::fflush(stdout);
        test.run();
        ++count;
    }
    std::printf("%d tests passed\n", count);
    return count > 0 ? 0 : 1;
}
