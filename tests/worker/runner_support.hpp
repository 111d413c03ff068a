#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/worker_rig.hpp"

/// Workers of one segment, for the tests of this folder.
namespace pystream::worker::test {

using Texts = std::vector<std::string>;

inline std::vector<std::unique_ptr<StageAdapter>> one(std::unique_ptr<StageAdapter> stage) {
  std::vector<std::unique_ptr<StageAdapter>> all;
  all.push_back(std::move(stage));
  return all;
}

inline pystream::test::RigSpec spec_of(pystream::test::RawFunction function) {
  return {.segments = {{.make = [function] { return one(pystream::test::raw(function)); }}}};
}

/// Until nothing is left to do.
inline void run_batches(pystream::test::RiggedWorker& worker) {
  while (worker.runner().run_batch() && !worker.runner().ended()) {
  }
}

}  // namespace pystream::worker::test
