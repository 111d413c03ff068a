#include <pystream/registry.hpp>

#include "core/input_stream.hpp"
#include "core/line_reader.hpp"
#include "core/scope_exit.hpp"

namespace pystream::core {
namespace {

/// Text, one item per line.
class Lines final : public RawSource<StreamCursor> {
 public:
  explicit Lines(const Params& params)
      : input_("lines", params.string("path")), reader_(input_, params.bytes("max_line")) {}

  static StageInfo describe() {
    return {.summary = "reads text line by line",
            .params = {{.name = "path",
                        .type = ParamType::string,
                        .text = "file to read; - is standard input",
                        .file = FileUse::reads},
                       {.name = "max_line",
                        .type = ParamType::size,
                        .fallback = std::int64_t{1} << 30,
                        .text = "longest line accepted; a longer one is an error (see on_error)",
                        .min = 1,
                        .max = 1e15}},
            .output = "string"};
  }

  bool produce(Output& out) override {
    std::string_view line;
    const ScopeExit commit_position([this] { cursor() = {reader_.consumed(), 1, cursor().lost}; });
    switch (reader_.next(line)) {
      case InputStream::Status::interrupted:
        return true;
      case InputStream::Status::end:
        return false;
      case InputStream::Status::data:
        break;
    }
    out.emit_bytes(std::as_bytes(std::span(line)));
    return true;
  }

  bool buffered() override { return reader_.buffered(); }

  void resume() override {
    input_.resume(cursor());
    reader_.restart();
  }

  void cleanup() override {
    input_.leave_at(cursor());
    reader_.lose_ahead();
  }

 private:
  InputStream input_;
  LineReader reader_;
};

PYSTREAM_STAGE("lines", Lines);

}  // namespace
}  // namespace pystream::core
