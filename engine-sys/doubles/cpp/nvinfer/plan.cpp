#include "plan.h"

#include <cstdlib>
#include <cstring>
#include <sstream>

namespace fake {
namespace {

constexpr char MAGIC[] = "ENGINE-DOUBLE-PLAN 1";
const constexpr char* SELECTORS[] = {"min", "opt", "max"};

// FNV-1a, so that a plan with one byte changed is refused as the real library refuses it.
std::string checksum(const std::string& text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const unsigned char byte : text) {
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

bool read_line(const std::string& text, Plan& plan) {
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

std::string text_of(const Shape& shape) {
    std::string text;
    for (const std::int64_t dim : shape) {
        text += (text.empty() ? "" : "x") + std::to_string(dim);
    }
    return text;
}

const PlanTensor* Plan::find(const char* name) const {
    for (const PlanTensor& tensor : tensors) {
        if (name != nullptr && tensor.name == name) {
            return &tensor;
        }
    }
    return nullptr;
}

std::string Plan::text() const {
    std::ostringstream out;
    const auto shape = [&out](const Shape& dims) {
        for (const std::int64_t dim : dims) {
            out << ' ' << dim;
        }
        out << '\n';
    };
    out << MAGIC << "\nflavour " << flavour << "\nversion " << version << "\ndevice " << device
        << "\nversion_compatible " << version_compatible << "\nlean_runtime " << lean_runtime
        << "\nlayers " << layers << '\n';
    for (const PlanTensor& tensor : tensors) {
        out << "tensor " << tensor.name << (tensor.input ? " in " : " out ") << tensor.type;
        shape(tensor.shape);
    }
    for (const PlanTensor& tensor : tensors) {
        for (std::size_t at = 0; tensor.input && at < 3; ++at) {
            out << "profile " << tensor.name << ' ' << SELECTORS[at];
            shape(tensor.profile[at]);
        }
    }
    const std::string body = out.str();
    return body + "end " + checksum(body) + "\n";
}

std::optional<Plan> Plan::parse(const void* bytes, std::size_t size, std::string& why) {
    const std::string text(static_cast<const char*>(bytes), size);
    if (text.compare(0, sizeof MAGIC, std::string(MAGIC) + "\n") != 0) {
        why = "magicTag does not match";
        return std::nullopt;
    }
    const std::size_t end = text.rfind("\nend ");
    if (end == std::string::npos) {
        why = "the stream ends early";
        return std::nullopt;
    }
    const std::string body = text.substr(0, end + 1);
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
    for (const PlanTensor& tensor : plan.tensors) {
        for (const Shape& shape : tensor.profile) {
            if (tensor.input && shape.empty()) {
                why = "no profile for " + tensor.name;
                return std::nullopt;
            }
        }
    }
    return plan;
}

std::string device() {
    const char* const capability = std::getenv("ENGINE_DOUBLES_CC");
    return capability == nullptr ? "9.0" : capability;
}

} // namespace fake
