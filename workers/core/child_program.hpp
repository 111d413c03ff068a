#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/descriptor.hpp"

namespace pystream::core {

/// A running program whose standard input and output are pipes of ours. It ignores SIGINT (the terminal's Ctrl-C is
/// for the coordinator). A keeper process (program_keeper.hpp) ends it and everything that it has started when this
/// object is destroyed and when the thread that made it dies.
class ChildProgram {
 public:
  struct Command {
    std::vector<std::string> arguments;    ///< the program first, looked for in PATH
    std::vector<std::string> environment;  ///< "NAME=value", on top of this process's own
    std::string directory;                 ///< where it runs; empty: here
  };

  /// Throws Error if the program cannot be started.
  explicit ChildProgram(const Command& command);
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;
  /// Kills it.
  ~ChildProgram();

  /// Both are non-blocking.
  int input() const { return input_.get(); }
  int output() const { return output_.get(); }
  void close_input() { input_.reset(); }
  bool input_open() const { return input_.valid(); }
  /// How much of its input the program has not read; 0 if that cannot be told.
  std::size_t unread_input() const;

  /// Its wait status, once it has ended within `patience`. What it started may still run.
  std::optional<int> wait(std::chrono::milliseconds patience);
  /// Ends the program and all that it started, and waits until they are gone.
  void kill();

 private:
  pid_t keeper_ = -1;
  std::optional<int> status_;
  Descriptor control_;
  Descriptor input_;
  Descriptor output_;
};

/// "exit code 3", "signal 11 (Segmentation fault)".
std::string describe_status(int status);

}  // namespace pystream::core
