#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/process_start.hpp"
#include "support/link.hpp"
#include "support/temp_folder.hpp"

/// Whole pipelines of real processes.
namespace pystream::test {

inline std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string name = std::to_string(pid);
  std::ifstream file("/proc/" + name + "/task/" + name + "/children");
  for (pid_t child = 0; file >> child;) {
    children.push_back(child);
  }
  return children;
}

/// Reaps what has become this process's; true once it has no child at all. REQUIRES: a child subreaper.
inline bool nothing_is_left() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
  }
  return pid < 0 && errno == ECHILD;
}

/// `pystream-coord run` on a plan of the test's own, with everything of the run in a folder: the plan, "stdout",
/// "stderr", and "profiles".
class PipelineRun {
 public:
  /// `held`: it begins with let_go(), so that it can be traced from its first instruction on.
  enum class Start { at_once, held };
  /// `prepare` is called in the child in front of exec.
  PipelineRun(const std::string& plan, const TempFolder& folder, const std::vector<std::string>& options = {},
              Start start = Start::at_once, const std::function<void()>& prepare = {})
      : errors_(folder / "stderr") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what a dead coordinator leaves behind comes to us
    const std::string output = folder / "stdout";
    const std::string profiles = folder / "profiles";
    std::vector<std::string> words{PYSTREAM_TEST_COORD, "run", folder.write("plan.json", plan)};
    words.insert(words.end(), options.begin(), options.end());
    std::array<int, 2> gate{-1, -1};
    if (start == Start::held && ::pipe2(gate.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
    }
    const base::UniqueFd entrance(gate[0]);
    gate_.reset(gate[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      gate_.reset();
      char nothing = 0;
      while (entrance && ::read(entrance.get(), &nothing, 1) < 0 && errno == EINTR) {
      }
      ::unsetenv("PYSTREAM_PLUGIN_PATH");
      ::unsetenv("PYSTREAM_WORKER");
      ::setenv("PYSTREAM_PROFILES", profiles.c_str(), 1);
      const int errors = ::open(errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(errors, STDERR_FILENO);
      ::dup2(::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
      ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
      std::vector<char*> argv;
      for (std::string& word : words) {
        argv.push_back(word.data());
      }
      argv.push_back(nullptr);
      base::reset_all_signals();  // this test may run in the background, or under nohup
      if (prepare) {
        prepare();
      }
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  PipelineRun(const PipelineRun&) = delete;
  PipelineRun& operator=(const PipelineRun&) = delete;
  ~PipelineRun() {
    if (!ended()) {
      ::kill(pid_, SIGCONT);
      ::kill(pid_, SIGKILL);
      wait_until([&] { return ended(); });
    }
  }

  pid_t pid() const { return pid_; }
  void let_go() { gate_.reset(); }
  void signal(int number) const { ::kill(pid_, number); }
  /// Its workers and its profiler process; also those between fork and exec. Not the process that lists the stage types
  /// before the start.
  std::vector<pid_t> children() const {
    std::vector<pid_t> all = children_of(pid_);
    started_ = started_ || std::ranges::any_of(all, [](pid_t pid) { return has_word(pid, "work"); });
    if (!started_) {
      all.clear();
    }
    return all;
  }
  std::vector<pid_t> workers() const {
    std::vector<pid_t> all = children();
    std::erase_if(all, [](pid_t pid) { return has_word(pid, "profiler"); });
    return all;
  }
  /// 0: there is none.
  pid_t profiler_process() const {
    const std::vector<pid_t> all = children();
    const auto found = std::ranges::find_if(all, [](pid_t pid) { return has_word(pid, "profiler"); });
    return found != all.end() ? *found : 0;
  }
  bool ended() {
    if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) {
      ended_ = true;
    }
    return ended_;
  }
  /// The exit code; 1000 + n if signal n killed it; -1 if it did not end in time.
  int wait(std::chrono::seconds deadline = std::chrono::seconds(100)) {
    if (!wait_until([&] { return ended(); }, deadline)) {
      return -1;
    }
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
  }
  std::string errors() const { return read_file(errors_); }

 private:
  /// Whether it was called with that argument.
  static bool has_word(pid_t pid, const char* word) {
    try {
      return read_file("/proc/" + std::to_string(pid) + "/cmdline").find('\0' + std::string(word) + '\0') !=
             std::string::npos;
    } catch (const std::exception&) {
      return false;  // it ended while its file was read
    }
  }

  base::UniqueFd gate_;
  pid_t pid_ = 0;
  mutable bool started_ = false;
  bool ended_ = false;
  int status_ = 0;
  std::string errors_;
};

/// Runs a plan to its end without a fault; its output file's bytes.
inline std::string output_of(const std::string& plan, const TempFolder& folder, const std::string& file) {
  PipelineRun run(plan, folder);
  const int code = run.wait();
  if (code != 0) {
    throw std::runtime_error("exit code " + std::to_string(code) + ": " + run.errors());
  }
  return read_file(file);
}

}  // namespace pystream::test
