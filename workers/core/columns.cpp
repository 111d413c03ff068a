#include <pystream/codec.hpp>
#include <pystream/registry.hpp>
#include <utility>

namespace pystream::core {
namespace {

/// One line of what several branches gave.
class Columns final : public RawStage {
 public:
  explicit Columns(const Params& params) : separator_(params.string("separator")) {}

  static StageInfo describe() {
    return {.summary = "makes one line of the answers of branches that are joined by zip",
            .params = {{.name = "separator",
                        .type = ParamType::string,
                        .fallback = "\t",
                        .text = "what stands between them"}},
            .input = "any",
            .output = "string"};
  }

  void operator()(const Item& in, Output& out) override {
    line_.clear();
    bool first = true;
    for (const std::span<const std::byte> part : tuple_parts(in.bytes())) {
      if (!std::exchange(first, false)) {
        line_ += separator_;
      }
      line_.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    out.emit_bytes(std::as_bytes(std::span(line_)));
  }

 private:
  std::string separator_;
  std::string line_;
};

PYSTREAM_STAGE("columns", Columns);

}  // namespace
}  // namespace pystream::core
