#include <cstring>
#include <pystream/registry.hpp>

/// A source that gives several items in one call.
namespace pystream::testing {
namespace {

struct BurstsCursor {
  std::uint64_t next = 0;
};

class Bursts final : public RawSource<BurstsCursor> {
 public:
  explicit Bursts(const Params& params)
      : count_(static_cast<std::uint64_t>(params.integer("count"))),
        burst_(static_cast<std::uint64_t>(params.integer("burst"))) {}

  static StageInfo describe() {
    return {.summary = "gives the numbers from 0 on, several in one call",
            .params = {{.name = "count", .type = ParamType::integer, .fallback = 10'000, .text = "how many", .min = 0},
                       {.name = "burst", .type = ParamType::integer, .fallback = 5, .text = "in one call", .min = 1}},
            .output = "bytes"};
  }

  bool produce(Output& out) override {
    for (std::uint64_t i = 0; i < burst_ && cursor().next < count_; ++i, ++cursor().next) {
      std::memcpy(out.reserve(sizeof(std::uint64_t)).data(), &cursor().next, sizeof(std::uint64_t));
      out.emit_reserved(sizeof(std::uint64_t));
    }
    return cursor().next < count_;
  }

 private:
  std::uint64_t count_;
  std::uint64_t burst_;
};

PYSTREAM_STAGE("test.bursts", Bursts);

}  // namespace
}  // namespace pystream::testing
