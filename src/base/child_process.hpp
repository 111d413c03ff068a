#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace pystream::base {

/// A program to run to its end.
struct ChildCommand {
  std::vector<std::string> arguments;      ///< the first is looked up in PATH if it has no slash
  std::string input{};                     ///< what it finds on standard input
  std::vector<std::string> environment{};  ///< "NAME=value" beside this process's own; "NAME" alone removes it
  std::string directory{};                 ///< where it runs; empty: here
  std::chrono::milliseconds deadline = std::chrono::seconds(30);
  std::size_t output_limit = 16 << 20;  ///< of standard output; a program that writes more is killed
  std::size_t errors_limit = 64 << 10;  ///< of standard error; the rest is dropped
};

struct ChildResult {
  /// unseen: it has ended, but this process ignores SIGCHLD or reaps every child elsewhere, so nobody knows how.
  enum class End { exited, killed, timed_out, wrote_too_much, unseen };
  End end = End::exited;
  int code = 0;  ///< exit code, or the signal if it was killed
  std::string output{};
  std::string errors{};

  bool succeeded() const { return end == End::exited && code == 0; }
  /// Also if its end was not seen and it complained of nothing. REQUIRES: the caller sees from the output whether it is
  /// complete.
  bool may_have_succeeded() const { return succeeded() || (end == End::unseen && errors.empty()); }
};

/// Runs a program and collects what it writes. It dies with this process, and is killed once its time is over.
/// Throws std::system_error if it cannot be started.
ChildResult run_child(const ChildCommand& command);

/// "ended with exit code 3", "was killed by signal 11 (Segmentation fault)", …
std::string describe_end(const ChildResult& result);

}  // namespace pystream::base
