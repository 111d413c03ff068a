#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace pystream::test {

/// An empty one holds no address.
struct CodeRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool contains(std::uint64_t address) const { return address >= begin && address < end; }
};

/// Where the kernel's vdso is mapped in a process. nullopt: it has none.
inline std::optional<CodeRange> vdso_of(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    CodeRange range;
    char dash = 0;
    if (line.ends_with("[vdso]") && std::istringstream(line) >> std::hex >> range.begin >> dash >> range.end) {
      return range;
    }
  }
  return std::nullopt;
}

/// Leads a traced process on by one instruction. Calls into the vdso run at full speed up to their return: they write
/// nothing that is shared, and its clocks start again whenever the kernel updates them meanwhile, so a slow tracer
/// would never get through.
class InstructionStepper {
 public:
  /// REQUIRES: the caller traces `pid`. `also_passed`: code that is treated like the vdso; it calls no code outside.
  explicit InstructionStepper(pid_t pid, CodeRange also_passed = {}) : pid_(pid), also_passed_(also_passed) {}

  /// The process was led elsewhere by other means, perhaps into another program.
  void forget_place() { passed_.reset(); }

  /// Gives it `signal`, leads it on and waits. The status as waitpid() gives it; nullopt: it is no longer traced.
  std::optional<int> step(int signal) {
    learn_place();
    if (!resume(PTRACE_SINGLESTEP, signal)) {
      return std::nullopt;
    }
    std::optional<int> status = wait();
#if defined(__x86_64__)
    const bool was_inside = std::exchange(inside_, stands_inside(status));
    if (inside_ && !was_inside) {
      status = run_to_return();
      inside_ = stands_inside(status);
    }
#endif
    return status;
  }

  /// Whether it stands in code that is passed over.
  bool inside() {
    learn_place();
    return inside_;
  }
  /// Calls that were passed over.
  std::uint64_t passes() const {
    return passes_;
  }

 private:
  void learn_place() {
    if (passed_) {
      return;
    }
    passed_ = {also_passed_, vdso_of(pid_).value_or(CodeRange{})};
#if defined(__x86_64__)
    inside_ = is_passed(register_at(offsetof(user_regs_struct, rip)));
#endif
  }

#if defined(__x86_64__)
  /// Nothing is ever mapped there, so a jump to it stops the process with SIGSEGV at this address.
  static constexpr std::uint64_t kNowhere = 0x10;

  /// REQUIRES: it stands at the first instruction of a called function. The return address on its stack is replaced, so
  /// that the return stops it. A breakpoint at the return address would also stop its other threads.
  std::optional<int> run_to_return() {
    const std::uint64_t stack = register_at(offsetof(user_regs_struct, rsp));
    errno = 0;
    const long back = ::ptrace(PTRACE_PEEKDATA, pid_, pointer(stack), nullptr);
    if (errno != 0 || ::ptrace(PTRACE_POKEDATA, pid_, pointer(stack), pointer(kNowhere)) != 0) {
      return std::nullopt;
    }
    ++passes_;
    int signal = 0;
    while (true) {
      if (!resume(PTRACE_CONT, signal)) {
        return std::nullopt;
      }
      const std::optional<int> status = wait();
      if (!status || !WIFSTOPPED(*status)) {
        return status;
      }
      signal = WSTOPSIG(*status);
      if (signal == SIGSEGV && register_at(offsetof(user_regs_struct, rip)) == kNowhere) {
        return ::ptrace(PTRACE_POKEUSER, pid_, offsetof(user_regs_struct, rip), pointer(back)) == 0
                   ? std::optional(kStepped)
                   : std::nullopt;
      }
      if (signal == SIGTRAP || *status >> 16 != 0) {
        signal = 0;  // an event for the tracer and no signal
      }
    }
  }

  bool stands_inside(const std::optional<int>& status) const {
    return status && WIFSTOPPED(*status) && is_passed(register_at(offsetof(user_regs_struct, rip)));
  }
  std::uint64_t register_at(std::size_t offset) const {
    return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKUSER, pid_, offset, nullptr));
  }
  bool is_passed(std::uint64_t address) const {
    return std::any_of(passed_->begin(), passed_->end(),
                       [&](const CodeRange& range) { return range.contains(address); });
  }
  template <class Number>
  static void* pointer(Number number) {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));
  }
#endif

  /// What waitpid() says after a single step.
  static constexpr int kStepped = SIGTRAP << 8 | 0x7f;

  template <class Request>
  bool resume(Request request, int signal) const {
    return ::ptrace(request, pid_, nullptr, reinterpret_cast<void*>(std::intptr_t{signal})) == 0;
  }
  std::optional<int> wait() const {
    int status = 0;
    return ::waitpid(pid_, &status, __WALL) == pid_ ? std::optional(status) : std::nullopt;
  }

  pid_t pid_;
  CodeRange also_passed_;
  std::optional<std::array<CodeRange, 2>> passed_;  ///< nullopt: not known, or not known any more
  bool inside_ = false;
  std::uint64_t passes_ = 0;
};

}  // namespace pystream::test
