#include <fstream>
#include <pystream/registry.hpp>
#include <string>

namespace pystream::testing {
namespace {

/// A sink whose place no option of the command line knows.
class Elsewhere final : public RawSink<> {
 public:
  explicit Elsewhere(const Params& params) : file_(params.string("place"), std::ios::binary | std::ios::app) {}

  static StageInfo describe() {
    return {.summary = "appends items to a file that --output cannot name",
            .params = {{.name = "place", .type = ParamType::string, .fallback = "elsewhere.txt", .text = "the file"}},
            .input = "any"};
  }

  void consume(const Item& in) override {
    file_.write(reinterpret_cast<const char*>(in.bytes().data()), static_cast<std::streamsize>(in.bytes().size()));
    if (!file_.flush()) {
      throw Error("test.elsewhere: cannot append to its file");
    }
  }

 private:
  std::ofstream file_;
};

PYSTREAM_STAGE("test.elsewhere", Elsewhere);

}  // namespace
}  // namespace pystream::testing
