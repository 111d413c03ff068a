// A pipeline that is the whole program: a source with a cursor, a stage, and a sink that can take back what was not
// committed, each in a process of its own. A kill of any of them changes nothing.
#include <iostream>
#include <optional>
#include <pystream/pystream.hpp>

namespace {

constexpr int kMeasurements = 1'000;

/// Its cursor is committed with the items, so a successor goes on behind the last one.
class Sensor : public pystream::Source<double, int> {
 public:
  std::optional<double> next() override {
    return cursor() < kMeasurements ? std::optional(0.5 * cursor()++) : std::nullopt;
  }
};

/// Adds up in its cursor: what was committed counts once, whatever dies.
class Sum : public pystream::Sink<double, double> {
 public:
  void operator()(double value) override { cursor() += value; }
  void cleanup() override { std::cout << "the sum is " << cursor() << std::endl; }
};

}  // namespace

int main() {
  pystream::Pipeline pipeline;
  pipeline.source(Sensor(), "Sensor");
  pipeline.add([](double value) { return 2 * value; }, "Double");
  pipeline.sink(Sum(), "Sum");
  const pystream::RunTotals totals = pipeline.run();
  std::cout << totals.in << " in, " << totals.out << " out\n";
  return totals.complete() && totals.out == kMeasurements ? 0 : 3;
}
