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
            .params = {{.name = "path",
                        .type = ParamType::string,
                        .text = "file to read; - is standard input",
                        .file = FileUse::reads},
                       {.name = "bytes",
                        .type = ParamType::size,
                        .text = "size of a frame; a shorter last one is an error (see on_error)",
                        .min = 1,
                        .max = 1e12}},
            .output = "bytes"};
  }

  bool produce(Output& out) override {
    // In place where no signal can come between the pieces of a frame, else by way of partial_.
    if (!input_.seekable()) {
      if (!fill(partial_)) {
        return !at_end_;
      }
      const ScopeExit commit_position([this] { commit(); });
      out.emit_bytes(partial_);
      return true;
    }
    std::span<std::byte> place;
    try {
      place = out.reserve(size_).first(size_);
    } catch (const ItemTooLarge&) {
      pass_over();
      if (at_end_) {
        return false;
      }
      throw;
    }
    if (!fill(place)) {
      return !at_end_;
    }
    const ScopeExit commit_position([this] { commit(); });
    out.emit_reserved(size_);
    return true;
  }

  bool buffered() override { return !input_.seekable() && filled_ > 0; }

  void resume() override { input_.resume(cursor()); }

  void cleanup() override {
    input_.leave_at(cursor());
    if (buffered()) {
      input_.report_ahead(filled_);
    }
  }

 private:
  void commit() {
    filled_ = 0;
    cursor() = {input_.offset(), 1, cursor().lost};
  }

  /// Fills the frame. False at the end, or if it was interrupted.
  bool fill(std::span<std::byte> frame) {
    InputStream::Patience patience;
    while (filled_ < size_) {
      const InputStream::Result result = read(frame.subspan(filled_), patience);
      if (result.status == InputStream::Status::interrupted) {
        return false;
      }
      if (result.status == InputStream::Status::end) {
        at_end_ = true;
        if (filled_ > 0) {
          refuse_partial();
        }
        return false;
      }
      filled_ += result.bytes;
    }
    return true;
  }

  InputStream::Result read(std::span<std::byte> to, InputStream::Patience& patience) {
    if (!draining() || !buffered()) {
      return input_.read(to);
    }
    const InputStream::Result result = input_.read_rest(to, patience);
    if (result.status == InputStream::Status::interrupted) {
      report_loss("frames: the run was ended within a frame of " + input_.name() + ": its first " +
                  std::to_string(filled_) + " of " + std::to_string(size_) + " bytes were read and are no item");
      commit();
    }
    return result;
  }

  /// Reads a frame for which there is no room.
  void pass_over() {
    std::vector<std::byte> scratch(std::min<std::size_t>(size_, 1 << 20));
    while (filled_ < size_ && !at_end_) {
      const auto piece = std::span(scratch).first(std::min(scratch.size(), size_ - filled_));
      const InputStream::Result result = input_.read(piece);
      at_end_ = result.status == InputStream::Status::end;
      filled_ += result.bytes;
    }
    if (at_end_ && filled_ > 0) {
      refuse_partial();
    }
    commit();
  }

  [[noreturn]] void refuse_partial() {
    const std::size_t bytes = filled_;
    const std::uint64_t start = input_.offset() - bytes;
    commit();
    throw Error("frames: " + input_.name() + " ends with " + std::to_string(bytes) + " bytes left over at byte " +
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
