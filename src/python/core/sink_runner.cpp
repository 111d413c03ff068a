#include "python/core/sink_runner.hpp"

namespace pystream::python {

/// Where the results of a sink go.
class SinkRunner::Nowhere final : public Output {
 public:
  std::span<std::byte> reserve(std::size_t size) override {
    room_.resize(size);
    return room_;
  }
  void emit_reserved(std::size_t) override {}
  void forward(const Item&) override {}

 protected:
  void emit_value(const void*, const ValueType&) override {}

 private:
  std::vector<std::byte> room_;
};

void SinkRunner::consume(const Item& in) {
  Nowhere nowhere;
  runner_(in, nowhere);
}

}  // namespace pystream::python
