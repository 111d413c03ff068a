#include <pystream/registry.hpp>

namespace pystream::core {
namespace {

class Discard final : public RawSink<> {
 public:
  static StageInfo describe() { return {.summary = "takes items and does nothing with them", .input = "any"}; }
  void consume(const Item&) override {}
};

PYSTREAM_STAGE("discard", Discard);

}  // namespace
}  // namespace pystream::core
