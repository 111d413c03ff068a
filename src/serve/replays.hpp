#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pystream::serve {

/// Dead letters on their way through the rest of their plan, each replay in a process of its own. Used by many threads.
class Replays {
 public:
  struct Replay {
    std::uint64_t id = 0;
    std::int64_t run = 0;
    std::vector<std::int64_t> letters;
    bool running = true;
    int code = 0;      ///< exit code of the command
    std::string said;  ///< what it wrote, cut off
  };

  /// `program`: pystream-coord. `folder`: the profiler folder with the letters; what replays write goes to "replays" in
  /// it.
  Replays(std::filesystem::path program, std::filesystem::path folder);
  ~Replays();
  Replays(const Replays&) = delete;
  Replays& operator=(const Replays&) = delete;

  /// Starts one with letters of `run` and with the plan that it was started with. Returns its id. Throws Error while
  /// another one runs.
  std::uint64_t start(std::int64_t run, std::vector<std::int64_t> letters, bool remove);
  /// The newest last; those before the last few are forgotten.
  std::vector<Replay> list() const;

 private:
  void run(std::uint64_t id, std::vector<std::string> arguments);

  std::filesystem::path program_;
  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::deque<Replay> replays_;
  std::uint64_t next_ = 1;
  std::thread thread_;
};

std::string to_json(const std::vector<Replays::Replay>& replays);

}  // namespace pystream::serve
