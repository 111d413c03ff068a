#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "coord/running_pipelines.hpp"
#include "serve/metrics_text.hpp"

namespace pystream::serve {

/// The running pipelines as they were a moment ago. However many pages ask, a coordinator is asked twice a second at
/// most. Used by many threads.
class LiveRuns {
 public:
  struct Pipeline {
    Observed before;  ///< about a second earlier; empty: none was seen
    Observed now;
  };
  struct Look {
    std::vector<Pipeline> pipelines;  ///< by process id
    std::vector<pid_t> silent;        ///< run and do not answer
  };

  std::shared_ptr<const Look> look();

 private:
  void refresh(std::int64_t now);

  std::mutex mutex_;
  std::shared_ptr<const Look> last_;
  std::int64_t looked_at_ = 0;                         ///< CLOCK_MONOTONIC
  std::map<std::int64_t, std::deque<Observed>> seen_;  ///< by process id, the oldest first
  std::map<pid_t, std::int64_t> ask_again_;            ///< when, of those that did not answer
};

}  // namespace pystream::serve
