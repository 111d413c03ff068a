#include <poll.h>

#include <pystream/registry.hpp>
#include <thread>

namespace pystream::testing {
namespace {

class SlowSink final : public RawSink<> {
 public:
  explicit SlowSink(const Params& params)
      : time_(params.duration("time")), fails_if_interrupted_(params.boolean("fails_if_interrupted")) {}

  static StageInfo describe() {
    return {.summary = "takes its time over every item and does nothing with it",
            .params = {{.name = "time",
                        .type = ParamType::duration,
                        .fallback = 5'000'000,
                        .text = "how long each item takes",
                        .min = 0},
                       {.name = "fails_if_interrupted",
                        .type = ParamType::boolean,
                        .fallback = false,
                        .text = "wait in poll(), and take EINTR as an error of the item"}},
            .input = "any"};
  }

  void consume(const Item&) override {
    if (!fails_if_interrupted_) {
      std::this_thread::sleep_for(time_);
    } else if (::poll(nullptr, 0, static_cast<int>(time_ / std::chrono::milliseconds(1))) < 0) {
      throw Error("poll was interrupted");
    }
  }

 private:
  std::chrono::nanoseconds time_;
  bool fails_if_interrupted_;
};

PYSTREAM_STAGE("test.slow_sink", SlowSink);

}  // namespace
}  // namespace pystream::testing
