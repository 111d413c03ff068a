#include <fcntl.h>
#include <unistd.h>

#include <pystream/registry.hpp>
#include <string>

namespace pystream::testing {
namespace {

/// Shows when cleanup() runs, and how often.
class Farewell final : public RawStage {
 public:
  explicit Farewell(const Params& params) : path_(params.string("path")), line_(params.string("line") + "\n") {}

  static StageInfo describe() {
    return {.summary = "passes items on and appends a line to a file when it is cleaned up",
            .params = {{.name = "path", .type = ParamType::string, .text = "the file"},
                       {.name = "line", .type = ParamType::string, .fallback = "farewell", .text = "the line"}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override { out.forward(in); }

  void cleanup() override {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0 || ::write(file, line_.data(), line_.size()) != static_cast<ssize_t>(line_.size())) {
      throw Error("test.farewell: cannot append to " + path_);
    }
    ::close(file);
  }

 private:
  std::string path_;
  std::string line_;
};

PYSTREAM_STAGE("test.farewell", Farewell);

}  // namespace
}  // namespace pystream::testing
