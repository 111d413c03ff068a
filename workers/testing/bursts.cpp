#include <algorithm>
#include <cstring>
#include <pystream/registry.hpp>

/// A source that gives several items in one call, in each or now and then.
namespace pystream::testing {
namespace {

struct BurstsCursor {
  std::uint64_t next = 0;
};

class Bursts final : public RawSource<BurstsCursor> {
 public:
  explicit Bursts(const Params& params)
      : count_(static_cast<std::uint64_t>(params.integer("count"))),
        burst_(static_cast<std::uint64_t>(params.integer("burst"))),
        every_(static_cast<std::uint64_t>(params.integer("every"))),
        size_(params.bytes("size")) {}

  static StageInfo describe() {
    return {.summary = "gives the numbers from 0 on, several in one call",
            .params = {{.name = "count", .type = ParamType::integer, .fallback = 10'000, .text = "how many", .min = 0},
                       {.name = "burst", .type = ParamType::integer, .fallback = 5, .text = "in one call", .min = 1},
                       {.name = "every",
                        .type = ParamType::integer,
                        .fallback = 1,
                        .text = "only a multiple of this begins a burst; other numbers come one by one",
                        .min = 1},
                       {.name = "size",
                        .type = ParamType::size,
                        .fallback = 8,
                        .text = "bytes of an item: the number, and zeros behind it",
                        .min = 8,
                        .max = 1e6}},
            .output = "bytes"};
  }

  bool produce(Output& out) override {
    const std::uint64_t items = cursor().next % every_ == 0 ? burst_ : 1;
    for (std::uint64_t i = 0; i < items && cursor().next < count_; ++i, ++cursor().next) {
      const std::span<std::byte> to = out.reserve(size_);
      std::fill(to.begin(), to.end(), std::byte{0});
      std::memcpy(to.data(), &cursor().next, sizeof(std::uint64_t));
      out.emit_reserved(size_);
    }
    return cursor().next < count_;
  }

 private:
  std::uint64_t count_;
  std::uint64_t burst_;
  std::uint64_t every_;
  std::uint64_t size_;
};

PYSTREAM_STAGE("test.bursts", Bursts);

}  // namespace
}  // namespace pystream::testing
