#include "coord/crash_report.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <csignal>

namespace pystream::coord {
namespace {

constexpr std::size_t kGroups = 20;
constexpr std::size_t kItemsOfGroup = 5;
constexpr std::size_t kFramesShown = 12;

std::string address_text(int signal, int code, std::uint64_t address) {
  if (code <= 0) {
    return "sent by a process or by itself";
  }
  switch (signal) {
    case SIGSEGV:
      return fmt::format("{} {:#x}", code == SEGV_MAPERR ? "nothing is mapped at" : "no access to", address);
    case SIGBUS:
      return fmt::format("no memory behind {:#x}", address);
    case SIGFPE:
      return code == FPE_INTDIV ? "division by zero" : "arithmetic error";
    case SIGILL:
      return fmt::format("at {:#x}", address);
    default:
      return {};
  }
}

/// Addresses differ from start to start; modules and offsets do not.
bool same_place(const std::vector<CrashFrame>& a, const std::vector<CrashFrame>& b) {
  if (a.empty() || b.empty()) {
    return a.empty() == b.empty();
  }
  return a.front().module == b.front().module && a.front().offset == b.front().offset;
}

bool same_crash(const CrashReport& a, const CrashReport& b) {
  return a.stage == b.stage && a.signal == b.signal && a.code == b.code && a.hung == b.hung && a.failure == b.failure &&
         same_place(a.frames, b.frames);
}

/// A path that a worker gone wrong has left is shown on terminals and kept as text.
void make_printable(std::string& text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
}

}  // namespace

void read_crash_record(const shm::CrashRecord& record, CrashReport& report) {
  const auto signal = static_cast<int>(record.signal.load(std::memory_order_acquire));
  if (signal == 0) {
    return;
  }
  const bool on_request = record.signal == shm::kStackOnRequest;
  std::string fault = on_request ? std::string() : address_text(signal, record.code, record.address);
  if (!on_request && signal != report.signal) {  // something else ended it before its report on the fault was complete
    fault = "while it reported " + base::signal_name(signal) + (fault.empty() ? "" : ": " + fault);
  }
  if (!fault.empty()) {
    report.fault = std::move(fault);
  }
  const auto frames = std::min<std::size_t>(record.frames.load(std::memory_order_acquire), shm::kCrashFrames);
  for (std::size_t i = 0; i < frames; ++i) {
    const shm::CrashRecord::Frame frame = record.frame[i];
    CrashFrame& shown = report.frames.emplace_back(CrashFrame{.address = frame.address});
    const std::size_t module = frame.place >> shm::kModuleShift;
    if (module > 0 && module <= shm::kCrashModules) {
      const char* path = record.module[module - 1];
      shown.module.assign(path, std::find(path, path + shm::kModulePath, '\0'));
      make_printable(shown.module);
      shown.offset = frame.place & ((std::uint64_t{1} << shm::kModuleShift) - 1);
    }
  }
}

std::string how_it_died(const CrashReport& report) {
  if (!report.failure.empty()) {
    return "gave up: " + report.failure;
  }
  std::string text = report.hung          ? "hung and was killed"
                     : report.signal != 0 ? "was killed by " + base::signal_name(report.signal)
                                          : "ended with exit code " + std::to_string(report.code);
  if (!report.cause.empty()) {
    text += ", " + report.cause;
  }
  if (report.fault) {
    text += ", " + *report.fault;
  }
  return text;
}

std::string place_of(const CrashFrame& frame) {
  if (frame.module.empty()) {
    return fmt::format("{:#x}", frame.address);
  }
  return fmt::format("{}+{:#x}", frame.module.substr(frame.module.rfind('/') + 1), frame.offset);
}

std::string stack_text(const CrashReport& report) {
  std::string text;
  for (std::size_t i = 0; i < std::min(report.frames.size(), kFramesShown); ++i) {
    const CrashFrame& frame = report.frames[i];
    text += frame.module.empty() ? fmt::format("{}  #{} {:#x}", i > 0 ? "\n" : "", i, frame.address)
                                 : fmt::format("{}  #{} {}+{:#x}", i > 0 ? "\n" : "", i, frame.module, frame.offset);
  }
  return text;
}

std::string describe(const CrashReport& report) {
  const auto seconds = [](std::chrono::nanoseconds time) { return static_cast<double>(time.count()) * 1e-9; };
  std::string text = "stage " + report.stage + " " + how_it_died(report);
  if (!report.in_work.empty()) {
    text += " on " + report.in_work + (report.item ? fmt::format(", attempt {}", report.attempt) : "");
  }
  if (!report.frames.empty()) {
    text += "\n" + stack_text(report);
  }
  text += fmt::format("\n  used {:.2f} s of CPU in stages, {:.2f} s in the system, {} MiB of memory at most",
                      seconds(report.usage.user_time), seconds(report.usage.system_time), report.usage.max_rss >> 20);
  for (const std::string& line : report.last_lines) {
    text += "\n  | " + line;
  }
  return text;
}

std::string memory_limit_text(const shm::WorkerPage& page, std::uint64_t memory) {
  const auto cause = static_cast<shm::DeathCause>(page.death_cause.load(std::memory_order_acquire));
  return cause == shm::DeathCause::memory_limit ? fmt::format("its memory limit of {} bytes is used up", memory) : "";
}

void CrashLog::add(const CrashReport& report) {
  auto group = std::find_if(groups_.begin(), groups_.end(),
                            [&](const CrashGroup& known) { return same_crash(known.first, report); });
  if (group == groups_.end()) {
    if (groups_.size() == kGroups) {
      ++left_out_;
      return;
    }
    group = groups_.insert(group, CrashGroup{.first = report});
  }
  ++group->count;
  if (report.item && group->items.size() < kItemsOfGroup &&
      std::find(group->items.begin(), group->items.end(), *report.item) == group->items.end()) {
    group->items.push_back(*report.item);
  }
}

}  // namespace pystream::coord
