#include "cli/standard_error.hpp"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/nonblocking_writer.hpp"

namespace pystream::cli {
namespace {

constexpr std::chrono::milliseconds kLastPatience = std::chrono::seconds(1);

struct StandardError {
  base::NonblockingWriter writer{STDERR_FILENO};
  bool in_loop = false;    ///< an event loop writes what waits
  bool unwaited = false;   ///< a run has begun once: its signals stay blocked, so nothing may block any more
  std::uint64_t told = 0;  ///< of the dropped lines
};

StandardError& standard_error() {
  static StandardError* const kErrors = std::make_unique<StandardError>().release();
  return *kErrors;
}

class UnwaitedErrors {
 public:
  explicit UnwaitedErrors(base::EventLoop& loop) : errors_(standard_error()) {
    errors_.unwaited = true;
    errors_.in_loop = true;
    errors_.writer.attach(loop);
  }
  ~UnwaitedErrors() {
    errors_.in_loop = false;
    errors_.writer.flush_within(kLastPatience);
    errors_.writer.detach();
    const std::uint64_t lost = errors_.writer.dropped() - std::exchange(errors_.told, errors_.writer.dropped());
    if (lost > 0) {
      show("pystream-coord: " + std::to_string(lost) + (lost == 1 ? " line was" : " lines were") +
           " not shown: nobody read standard error fast enough\n");
    }
  }
  UnwaitedErrors(const UnwaitedErrors&) = delete;
  UnwaitedErrors& operator=(const UnwaitedErrors&) = delete;

 private:
  StandardError& errors_;
};

}  // namespace

void show(std::string_view text) {
  StandardError& errors = standard_error();
  errors.writer.write(text);
  if (!errors.in_loop) {
    errors.writer.flush_within(errors.unwaited ? std::optional(kLastPatience) : std::nullopt);
  }
}

void show_if_read(std::string_view text) {
  standard_error().writer.write_if_read(text);
}

coord::Outcome run_unwaited(coord::Coordinator& coordinator) {
  const UnwaitedErrors errors(coordinator.loop());
  return coordinator.run();
}

}  // namespace pystream::cli
