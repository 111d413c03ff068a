#include <pystream/registry.hpp>

#include "core/clock.hpp"

namespace pystream::core {
namespace {

/// Stands for work: takes its time over every item.
class Wait final : public RawStage {
 public:
  explicit Wait(const Params& params) : time_ns_(params.duration("time").count()), busy_(params.boolean("busy")) {}

  static StageInfo describe() {
    return {.summary = "passes items on after a while",
            .params = {{.name = "time",
                        .type = ParamType::duration,
                        .fallback = 10'000'000,
                        .text = "how long each item takes",
                        .min = 0},
                       {.name = "busy",
                        .type = ParamType::boolean,
                        .fallback = false,
                        .text = "use the processor all the while instead of sleeping"}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    const std::int64_t end = now_ns() + time_ns_;
    if (busy_) {
      while (now_ns() < end) {
      }
    } else {
      while (time_ns_ > 0 && !sleep_until(end)) {
      }
    }
    out.forward(in);
  }

 private:
  std::int64_t time_ns_;
  bool busy_;
};

PYSTREAM_STAGE("wait", Wait);

}  // namespace
}  // namespace pystream::core
