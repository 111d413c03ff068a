#include <algorithm>
#include <pystream/registry.hpp>
#include <vector>

#include "core/input_stream.hpp"
#include "core/scope_exit.hpp"

namespace pystream::core {
namespace {

/// Raw data, cut every `bytes` bytes.
class Frames final : public RawSource<StreamCursor> {
 public:
  explicit Frames(const Params& params)
      : input_("frames", params.string("path")), size_(static_cast<std::size_t>(params.bytes("bytes"))) {
    if (size_ == 0) {
      throw InvalidParam("frames: parameter \"bytes\" is 0; expected the size of a frame, at least 1");
    }
    if (!input_.seekable()) {
      partial_.resize(size_);
    }
  }

  static StageInfo describe() {
    return {.summary = "reads raw frames of equal size",
            .params = {{.name = "path", .type = ParamType::string, .text = "file to read; - is standard input"},
                       {.name = "bytes",
                        .type = ParamType::size,
                        .text = "size of a frame; a shorter last one is an error",
                        .min = 1,
                        .max = 1e12}},
            .output = "bytes"};
  }

  bool produce(Output& out) override {
    try {
      return !at_end_ && produce_frame(out);
    } catch (...) {
      at_end_ = true;  // no later frame would fare better
      throw;
    }
  }

  void resume() override { input_.resume(cursor()); }

 private:
  bool produce_frame(Output& out) {
    // In place where no signal can come between the pieces of a frame, else by way of partial_.
    const std::span<std::byte> to = input_.seekable() ? out.reserve(size_).first(size_) : std::span(partial_);
    const std::uint64_t start = input_.offset() - filled_;
    while (filled_ < size_) {
      const InputStream::Result result = input_.read(to.subspan(filled_));
      if (result.status == InputStream::Status::interrupted) {
        return true;
      }
      if (result.status == InputStream::Status::end) {
        at_end_ = true;
        if (filled_ > 0) {
          refuse_partial(start);
        }
        return false;
      }
      filled_ += result.bytes;
    }
    filled_ = 0;
    const ScopeExit commit_position([this] { cursor() = {input_.offset(), 1, cursor().lost}; });
    if (input_.seekable()) {
      out.emit_reserved(size_);
    } else {
      out.emit_bytes(to);
    }
    return true;
  }

  [[noreturn]] void refuse_partial(std::uint64_t start) const {
    throw Error("frames: " + input_.name() + " ends with " + std::to_string(filled_) + " bytes left over at byte " +
                std::to_string(start) + ", fewer than a frame of " + std::to_string(size_) +
                " bytes; check \"bytes\", or whether the data was cut off");
  }

  InputStream input_;
  std::size_t size_;
  std::vector<std::byte> partial_;
  std::size_t filled_ = 0;
  bool at_end_ = false;
};

PYSTREAM_STAGE("frames", Frames);

}  // namespace
}  // namespace pystream::core
