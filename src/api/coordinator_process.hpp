#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <pystream/detail/stage_adapter.hpp>
#include <pystream/options.hpp>
#include <vector>

#include "api/channel.hpp"
#include "plan/topology.hpp"

namespace pystream::api {

/// What a coordinator process is started with. All of it is copied into the process by fork().
struct CoordinatorStart {
  const plan::Plan* plan = nullptr;
  const plan::Topology* topology = nullptr;
  int segment = -1;  ///< descriptor of the shared memory
  StartMethod method = StartMethod::fork;
  ForkHooks hooks{};  ///< of StartMethod::fork
  std::chrono::nanoseconds stop_grace = std::chrono::seconds(2);
  bool sends_lines = false;  ///< what workers write to standard error goes to the user's process
  /// fork: makes a stage, in its worker.
  std::function<std::unique_ptr<StageAdapter>(plan::StageId)> make;
  /// Runs as profiler process and keeps dead letters; with spawn also as worker. Empty: none was found, so there is
  /// neither a profile nor a place for dead letters.
  std::filesystem::path worker_program;
};

struct CoordinatorChild {
  pid_t pid = 0;
  base::PrivateFd pidfd;
  Channel channel;
};

/// The name of the user's program, by which a pipeline of it is called.
std::string program_name();

/// Starts a process that runs a coord::Coordinator for this one. It is a child of this process, has one thread,
/// watches this process and lets the pipeline drain once this process has died. Throws std::system_error.
///
/// It comes from fork() without exec, possibly out of a process with threads, so it takes no lock that a thread may
/// have held: not the logger's, not std::cout's. (malloc, stdio and the loader reset theirs in fork.)
CoordinatorChild start_coordinator(const CoordinatorStart& start);

}  // namespace pystream::api
