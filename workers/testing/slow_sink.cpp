#include <pystream/registry.hpp>
#include <thread>

namespace pystream::testing {
namespace {

class SlowSink final : public RawSink<> {
 public:
  explicit SlowSink(const Params& params) : time_(params.duration("time")) {}

  static StageInfo describe() {
    return {.summary = "takes its time over every item and does nothing with it",
            .params = {{.name = "time",
                        .type = ParamType::duration,
                        .fallback = 5'000'000,
                        .text = "how long each item takes",
                        .min = 0}},
            .input = "any"};
  }

  void consume(const Item&) override { std::this_thread::sleep_for(time_); }

 private:
  std::chrono::nanoseconds time_;
};

PYSTREAM_STAGE("test.slow_sink", SlowSink);

}  // namespace
}  // namespace pystream::testing
