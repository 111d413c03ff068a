#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/pidfd.hpp"
#include "shm/segment_abi.hpp"

namespace pystream::coord {

/// One place on a crashed worker's stack.
struct CrashFrame {
  std::uint64_t address = 0;
  std::string module;        ///< path of the file; empty: unknown
  std::uint64_t offset = 0;  ///< in the module, as symbolisers take it
};

/// What is known of a worker's unwanted death.
struct CrashReport {
  std::string stage;  ///< profile key of the stage in work
  std::string worker;
  int signal = 0;  ///< 0: it ended by itself, with exit code `code`
  int code = 0;
  bool hung = false;                  ///< killed because it did not move
  std::string cause;                  ///< what is known of it beside the signal, as WorkerExit::cause
  std::string failure;                ///< the worker's own message, if it gave up
  std::string in_work;                ///< "item 7", or which ones it was one of; empty: none was in work
  std::optional<std::uint64_t> item;  ///< sequence number, if it was that one
  std::uint32_t attempt = 1;          ///< of that item
  std::optional<std::string> fault;   ///< "at address 0x…", of faults
  std::vector<CrashFrame> frames;     ///< innermost first; none if the worker could not say
  base::ExitStatus usage;
  std::vector<std::string> last_lines;  ///< of its standard error
};

/// Copies what the signal handler left; checks it, since a worker that crashes may write anything.
void read_crash_record(const shm::CrashRecord& record, CrashReport& report);

/// "was killed by SIGSEGV (Segmentation fault) at address 0x7f…", "hung and was killed", "ended with exit code 3".
std::string how_it_died(const CrashReport& report);
/// "libfoo.so+0x1234".
std::string place_of(const CrashFrame& frame);
/// A line for each of the innermost frames, "  #0 /path/libfoo.so+0x1234", for programs to find names for.
std::string stack_text(const CrashReport& report);
/// Some lines: stage, how, stack_text(), what it used, what it said last.
std::string describe(const CrashReport& report);

/// "its memory limit of 64 MiB is used up"; empty if that is not what the worker died of. `memory`: the limit in bytes.
std::string memory_limit_text(const shm::WorkerPage& page, std::uint64_t memory);

/// The same crash again and again.
struct CrashGroup {
  CrashReport first;
  std::uint64_t count = 0;
  std::vector<std::uint64_t> items;  ///< the first few different ones
};

/// Collects reports; bounded, however many workers die.
class CrashLog {
 public:
  void add(const CrashReport& report);
  const std::vector<CrashGroup>& groups() const { return groups_; }
  std::uint64_t left_out() const { return left_out_; }

 private:
  std::vector<CrashGroup> groups_;
  std::uint64_t left_out_ = 0;
};

}  // namespace pystream::coord
