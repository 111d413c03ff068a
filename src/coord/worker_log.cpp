#include "coord/worker_log.hpp"

#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

namespace pystream::coord {
namespace {

constexpr std::size_t kLastLines = 20;
constexpr std::size_t kLongestLine = 4096;
constexpr int kReadsAtOnce = 32;  ///< of 4 KiB: more than a pipe holds

}  // namespace

/// A worker that floods its standard error must not keep the coordinator from everything else, so each call reads a
/// bounded part, and the event loop calls again.
bool WorkerLog::read(int fd, const OnLine& on_line) {
  std::array<char, 4096> buffer;
  ssize_t got = -1;
  for (int i = 0; i < kReadsAtOnce && (got = ::read(fd, buffer.data(), buffer.size())) > 0; ++i) {
    for (const char letter : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (letter == '\n' || line_.size() >= kLongestLine) {
        end_line(on_line);
      }
      if (letter != '\n') {
        line_.push_back(letter);
      }
    }
  }
  return got != 0;
}

void WorkerLog::finish(const OnLine& on_line) {
  if (!line_.empty()) {
    end_line(on_line);
  }
}

std::vector<std::string> WorkerLog::take_last_lines() {
  const std::deque<std::string> lines = std::exchange(last_lines_, {});
  return {lines.begin(), lines.end()};
}

void WorkerLog::end_line(const OnLine& on_line) {
  last_lines_.push_back(std::exchange(line_, {}));
  if (last_lines_.size() > kLastLines) {
    last_lines_.pop_front();
  }
  on_line(last_lines_.back());
}

}  // namespace pystream::coord
