#include <pystream/codec.hpp>
#include <pystream/error.hpp>
#include <utility>

namespace pystream {

PipelineTerminated::PipelineTerminated(TerminationReason reason) : Error(reason.text), reason_(std::move(reason)) {}

ItemTooLarge::ItemTooLarge(std::uint64_t size, std::uint64_t limit)
    : Error("item of " + std::to_string(size) + " bytes is larger than the " + std::to_string(limit) +
            " bytes this link can carry; raise links.capacity.bytes (ParallelOptions::capacity in the C++ API)"),
      size_(size),
      limit_(limit) {}

namespace detail {

void throw_wrong_size(const std::string& type, std::size_t got, std::size_t expected, bool multiple) {
  throw PayloadError("item of " + std::to_string(got) + " bytes is no " + type + ": expected " +
                     (multiple ? "a multiple of " : "") + std::to_string(expected) +
                     " bytes; check that the stage before it gives this type");
}

}  // namespace detail
}  // namespace pystream
