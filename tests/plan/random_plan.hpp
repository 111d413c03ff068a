#pragma once

#include <cstdlib>
#include <iostream>
#include <random>

#include "plan/plan_support.hpp"

namespace pystream::plan::test {

/// Pipelines of every nesting, up to six deep.
class RandomPlan {
 public:
  explicit RandomPlan(std::uint64_t seed) : random_(seed) {}

  Plan make() {
    Plan plan = make_plan(mode(), members(1));
    plan.entry = coin() ? EndKind::stage : EndKind::external;
    plan.exit = coin() ? EndKind::stage : EndKind::external;
    plan.source = plan.entry == EndKind::stage ? plan.source : Node();
    plan.sink = plan.exit == EndKind::stage ? plan.sink : Node();
    return plan;
  }

 private:
  bool coin() { return std::uniform_int_distribution<>(0, 1)(random_) == 1; }
  Mode mode() { return coin() ? Mode::serial : Mode::parallel; }

  std::vector<Node> members(int level) {
    std::vector<Node> nodes;
    const int count = std::uniform_int_distribution<>(1, 4)(random_);
    for (int i = 0; i < count; ++i) {
      const std::string name = "N" + std::to_string(i);
      const bool nest = level < 6 && coin();
      nodes.push_back(nest ? make_pipeline(name, mode(), members(level + 1)) : make_stage(name));
    }
    return nodes;
  }

  std::mt19937_64 random_;
};

/// $PYSTREAM_SEED repeats a run.
inline std::uint64_t seed_of_run() {
  const char* given = std::getenv("PYSTREAM_SEED");
  const std::uint64_t seed = given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
  std::cout << "PYSTREAM_SEED=" << seed << '\n';
  return seed;
}

}  // namespace pystream::plan::test
