#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/topology.hpp"
#include "shm/segment.hpp"

namespace pystream::api {

/// Items of one stage that were given up: it threw, or died on them too often.
struct GivenUpItems {
  std::string key;  ///< of the stage
  std::uint64_t count = 0;
  std::optional<std::uint64_t> last_item{};  ///< sequence number of the last of them, if it is known
  std::string last_reason{};
};

/// In the order of Topology::stages.
std::vector<GivenUpItems> read_given_up(const plan::Topology& topology, const shm::SupervisorView& view);

/// Decides when the user is told of items that were given up: of a stage's first one at once, of further ones together
/// after a second, two, four, … Has no clock of its own.
class GivenUpWatch {
 public:
  /// What is to be said now. `at_end`: of everything that was not said yet.
  std::vector<std::string> look(const std::vector<GivenUpItems>& stages, std::chrono::nanoseconds now,
                                bool at_end = false);

 private:
  struct Told {
    std::uint64_t count = 0;
    std::chrono::nanoseconds next{};
    std::chrono::nanoseconds pause{};
  };
  std::vector<Told> told_;  ///< one for each stage
};

}  // namespace pystream::api
