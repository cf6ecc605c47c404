#include "plan.h"

#include <cstdlib>
#include <cstring>
#include <sstream>

namespace fake {
namespace {

constexpr char MAGIC[] = "ENGINE-DOUBLE-PLAN 1";
constexpr char const* SELECTORS[] = {"min", "opt", "max"};

// FNV-1a, so that a plan with one byte changed is refused as the real library refuses it.
std::string checksum(std::string const& text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (unsigned char const byte : text) {
        hash = (hash ^ byte) * 0x100000001b3U;
    }
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
    return digits;
}

bool read_shape(std::istringstream& line, Shape& shape) {
    std::int64_t dim = 0;
    while (line >> dim) {
        if (dim < -1 || dim > 1'000'000 || shape.size() == 8) {
            return false;
        }
        shape.push_back(dim);
    }
    return line.eof();
}

bool read_tensor(std::istringstream& line, Plan& plan) {
    PlanTensor tensor{};
    std::string direction;
    if (!(line >> tensor.name >> direction >> tensor.type) || !read_shape(line, tensor.shape)) {
        return false;
    }
    tensor.input = direction == "in";
    plan.tensors.push_back(tensor);
    return tensor.input || direction == "out";
}

bool read_profile(std::istringstream& line, Plan& plan) {
    std::string name;
    std::string selector;
    line >> name >> selector;
    for (PlanTensor& tensor : plan.tensors) {
        for (std::size_t at = 0; at < 3; ++at) {
            if (tensor.input && tensor.name == name && selector == SELECTORS[at]) {
                return tensor.profile[at].empty() && read_shape(line, tensor.profile[at])
                    && tensor.profile[at].size() == tensor.shape.size();
            }
        }
    }
    return false;
}

bool read_line(std::string const& text, Plan& plan) {
    std::istringstream line(text);
    std::string key;
    line >> key;
    if (key == "flavour") {
        return static_cast<bool>(line >> plan.flavour);
    }
    if (key == "version") {
        return static_cast<bool>(line >> plan.version);
    }
    if (key == "device") {
        return static_cast<bool>(line >> plan.device);
    }
    if (key == "version_compatible") {
        return static_cast<bool>(line >> plan.version_compatible);
    }
    if (key == "lean_runtime") {
        return static_cast<bool>(line >> plan.lean_runtime);
    }
    if (key == "layers") {
        return static_cast<bool>(line >> plan.layers);
    }
    if (key == "tensor") {
        return read_tensor(line, plan);
    }
    return key == "profile" && read_profile(line, plan);
}

} // namespace

std::string text_of(Shape const& shape) {
    std::string text;
    for (std::int64_t const dim : shape) {
        text += (text.empty() ? "" : "x") + std::to_string(dim);
    }
    return text;
}

PlanTensor const* Plan::find(char const* name) const {
    for (PlanTensor const& tensor : tensors) {
        if (name != nullptr && tensor.name == name) {
            return &tensor;
        }
    }
    return nullptr;
}

std::string Plan::text() const {
    std::ostringstream out;
    auto const shape = [&out](Shape const& dims) {
        for (std::int64_t const dim : dims) {
            out << ' ' << dim;
        }
        out << '\n';
    };
    out << MAGIC << "\nflavour " << flavour << "\nversion " << version << "\ndevice " << device
        << "\nversion_compatible " << version_compatible << "\nlean_runtime " << lean_runtime
        << "\nlayers " << layers << '\n';
    for (PlanTensor const& tensor : tensors) {
        out << "tensor " << tensor.name << (tensor.input ? " in " : " out ") << tensor.type;
        shape(tensor.shape);
    }
    for (PlanTensor const& tensor : tensors) {
        for (std::size_t at = 0; tensor.input && at < 3; ++at) {
            out << "profile " << tensor.name << ' ' << SELECTORS[at];
            shape(tensor.profile[at]);
        }
    }
    std::string const body = out.str();
    return body + "end " + checksum(body) + "\n";
}

std::optional<Plan> Plan::parse(void const* bytes, std::size_t size, std::string& why) {
    std::string const text(static_cast<char const*>(bytes), size);
    if (text.compare(0, sizeof MAGIC, std::string(MAGIC) + "\n") != 0) {
        why = "magicTag does not match";
        return std::nullopt;
    }
    std::size_t const end = text.rfind("\nend ");
    if (end == std::string::npos) {
        why = "the stream ends early";
        return std::nullopt;
    }
    std::string const body = text.substr(0, end + 1);
    if (text.substr(end + 1) != "end " + checksum(body) + "\n") {
        why = "the checksum does not match";
        return std::nullopt;
    }
    Plan plan;
    std::istringstream lines(body.substr(sizeof MAGIC));
    for (std::string line; std::getline(lines, line);) {
        if (!read_line(line, plan)) {
            why = "line not understood: " + line;
            return std::nullopt;
        }
    }
    for (PlanTensor const& tensor : plan.tensors) {
        for (Shape const& shape : tensor.profile) {
            if (tensor.input && shape.empty()) {
                why = "no profile for " + tensor.name;
                return std::nullopt;
            }
        }
    }
    return plan;
}

std::string device() {
    char const* const capability = std::getenv("ENGINE_DOUBLES_CC");
    return capability == nullptr ? "9.0" : capability;
}

} // namespace fake
