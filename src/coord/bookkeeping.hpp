#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/topology.hpp"
#include "profile/run_description.hpp"
#include "profile/summary.hpp"
#include "profile/wire.hpp"
#include "shm/segment.hpp"
#include "worker/layout.hpp"

namespace pystream::coord {

/// What the bookkeeper has to know of a plan. `name`: of the pipeline, for people.
profile::RunDescription describe_run(const plan::Plan& plan, const plan::Topology& topology,
                                     const worker::Layout& layout, const std::string& name);

/// How much is recorded.
struct RecordingLimits {
  std::uint64_t rows_per_second = 10'000;  ///< of a worker; beyond it single items are sampled
};

/// The coordinator's hand on its bookkeeper process. Neither opens a database in this process.
class Bookkeeping {
 public:
  /// Starts the bookkeeper and waits until the run stands in the database; then the segment's ProfileConfig tells the
  /// workers to write rows. Throws Error if that fails: the pipeline can run without.
  /// REQUIRES: no worker was started yet.
  static std::unique_ptr<Bookkeeping> spawn(const std::filesystem::path& worker_program, const shm::Segment& segment,
                                            const profile::RunDescription& description,
                                            const RecordingLimits& limits = {});
  /// The same with a copy of this process, which must never have opened a database.
  static std::unique_ptr<Bookkeeping> fork(const shm::Segment& segment, const profile::RunDescription& description,
                                           const RecordingLimits& limits = {});
  ~Bookkeeping();

  std::int64_t run() const { return run_; }
  /// Readable when the bookkeeper has answered, or has died.
  int fd() const { return channel_.fd(); }

  void event(profile::Event event);
  /// Asks for the figures as they are now, and waits for them; nullopt if there are none.
  std::optional<profile::RunSummary> profiles(int timeout_ms = 5000);
  /// Every worker has ended: waits until all is written, at most `timeout_ms`.
  void end(const std::string& outcome, const std::string& reason, const std::vector<std::uint32_t>& restarts,
           int timeout_ms = 20'000);

 private:
  Bookkeeping(pid_t pid, base::UniqueFd channel);
  void begin(const shm::Segment& segment, const profile::RunDescription& description, const RecordingLimits& limits);
  void reap(int timeout_ms);

  base::UniqueFd pidfd_;
  profile::Channel channel_;
  std::int64_t run_ = 0;
};

}  // namespace pystream::coord
