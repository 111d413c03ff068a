#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <pystream/registry.hpp>

#include "core/clock.hpp"
#include "core/scope_exit.hpp"

namespace pystream::core {
namespace {

static_assert(std::endian::native == std::endian::little, "the counter is written in little endian");

/// A signal between the look at draining() and the sleep would be missed: no sleep is longer than this.
constexpr std::int64_t kLookAgainNs = 100'000'000;

struct GenerateCursor {
  std::uint64_t next = 0;  ///< index of the next item
};

/// SplitMix64: every state gives a good number, so item n needs nothing of item n - 1.
std::uint64_t mix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/// Made-up items, each a function of seed and index only.
class Generate final : public RawSource<GenerateCursor> {
 public:
  explicit Generate(const Params& params)
      : count_(static_cast<std::uint64_t>(params.integer("count"))),
        size_(params.bytes("size")),
        max_size_(std::max(size_, params.bytes("max_size"))),
        seed_(static_cast<std::uint64_t>(params.integer("seed"))),
        period_ns_(params.duration("period").count()),
        pattern_(params.string("pattern") == "counter"  ? Pattern::counter
                 : params.string("pattern") == "random" ? Pattern::random
                                                        : Pattern::zeros) {
    if (params.integer("count") < 0) {
      throw InvalidParam("generate: parameter \"count\" is negative; expected a number of items, or 0 for no end");
    }
  }

  static StageInfo describe() {
    return {.summary = "makes up items, the same ones for the same parameters",
            .params =
                {{.name = "count", .type = ParamType::integer, .fallback = 0, .text = "how many; 0: no end", .min = 0},
                 {.name = "size",
                  .type = ParamType::size,
                  .fallback = 64,
                  .text = "bytes of an item",
                  .min = 0,
                  .max = 1e12},
                 {.name = "max_size",
                  .type = ParamType::size,
                  .fallback = 0,
                  .text = "sizes vary from size up to this; 0: all have the same size",
                  .min = 0,
                  .max = 1e12},
                 {.name = "seed", .type = ParamType::integer, .fallback = 1, .text = "another seed, other items"},
                 {.name = "period",
                  .type = ParamType::duration,
                  .fallback = 0,
                  .text = "time from one item to the next; 0: as fast as they are taken",
                  .min = 0},
                 {.name = "pattern",
                  .type = ParamType::string,
                  .fallback = "counter",
                  .text = "counter: the index as 8 bytes little endian, then random bytes; random; zeros",
                  .choices = {"counter", "random", "zeros"}}},
            .output = "bytes"};
  }

  bool produce(Output& out) override {
    const std::uint64_t index = cursor().next;
    if (count_ != 0 && index >= count_) {
      return false;
    }
    if (period_ns_ > 0 && !wait_for_turn()) {
      return true;
    }
    const ScopeExit commit_position([&] { cursor().next = index + 1; });
    std::uint64_t state = seed_ ^ (index * 0xd1342543de82ef95U);
    const std::size_t size =
        static_cast<std::size_t>(max_size_ > size_ ? size_ + mix(state) % (max_size_ - size_ + 1) : size_);
    const std::span<std::byte> to = out.reserve(size).first(size);
    fill(to, index, state);
    out.emit_reserved(size);
    return true;
  }

 private:
  enum class Pattern { counter, random, zeros };

  void fill(std::span<std::byte> to, std::uint64_t index, std::uint64_t state) const {
    if (pattern_ == Pattern::zeros) {
      std::fill(to.begin(), to.end(), std::byte{0});
      return;
    }
    std::size_t at = 0;
    if (pattern_ == Pattern::counter) {
      at = std::min(to.size(), sizeof index);
      std::memcpy(to.data(), &index, at);
    }
    while (at < to.size()) {
      const std::uint64_t word = mix(state);
      const std::size_t length = std::min(to.size() - at, sizeof word);
      std::memcpy(to.data() + at, &word, length);
      at += length;
    }
  }

  /// Waits until the next item is due; false if interrupted. A late item does not make the next ones hurry.
  bool wait_for_turn() {
    if (!due_ns_) {
      due_ns_ = now_ns();
    }
    while (true) {
      const std::int64_t now = now_ns();
      if (now >= *due_ns_) {
        due_ns_ = std::max(*due_ns_ + period_ns_, now);
        return true;
      }
      if (draining()) {
        return false;
      }
      if (!sleep_until(std::min(*due_ns_, now + kLookAgainNs))) {
        return false;
      }
    }
  }

  std::uint64_t count_;
  std::uint64_t size_;
  std::uint64_t max_size_;
  std::uint64_t seed_;
  std::int64_t period_ns_;
  Pattern pattern_;
  std::optional<std::int64_t> due_ns_;
};

PYSTREAM_STAGE("generate", Generate);

}  // namespace
}  // namespace pystream::core
