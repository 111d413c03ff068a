#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <pystream/registry.hpp>
#include <system_error>

#include "core/clock.hpp"

namespace pystream::testing {
namespace {

/// When one item was in the stage, by the stage's own clock; an attempt that was cut short leaves `end_ns` as it was.
struct LogEntry {
  std::int64_t start_ns;
  std::int64_t end_ns;
};

/// Keeps a log of its own, apart from any profile: entry n of the file is that of item n. The file is mapped, so what
/// was noted stays when the worker is killed.
class Logged final : public RawStage {
 public:
  explicit Logged(const Params& params)
      : items_(static_cast<std::size_t>(params.integer("items"))),
        shortest_(params.duration("shortest").count()),
        longest_(params.duration("longest").count()) {
    const std::string path = params.string("log");
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    const std::size_t bytes = items_ * sizeof(LogEntry);
    void* at = MAP_FAILED;
    if (fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes)) == 0) {
      at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    const int error = errno;
    ::close(fd);
    if (at == MAP_FAILED) {
      throw std::system_error(error, std::generic_category(), "test.logged: cannot map " + path);
    }
    log_ = static_cast<LogEntry*>(at);
  }

  static StageInfo describe() {
    return {
        .summary = "keeps busy for a time that depends on the item, notes when in a file of its own, and passes it on",
        .params = {{.name = "log", .type = ParamType::string, .text = "the file: two int64 for each item"},
                   {.name = "items", .type = ParamType::integer, .fallback = 1 << 20, .text = "room in it", .min = 1},
                   {.name = "shortest",
                    .type = ParamType::duration,
                    .fallback = 50'000,
                    .text = "shortest time for an item",
                    .min = 0},
                   {.name = "longest",
                    .type = ParamType::duration,
                    .fallback = 150'000,
                    .text = "longest time for an item",
                    .min = 0}},
        .input = "any",
        .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    const std::int64_t start = core::now_ns();
    const std::int64_t spread = longest_ > shortest_ ? longest_ - shortest_ : 1;
    const auto turn = static_cast<std::int64_t>(in.sequence() * 2654435761U % 1000);
    const std::int64_t until = start + shortest_ + spread * turn / 1000;
    std::int64_t now = start;
    while (now < until) {
      now = core::now_ns();
    }
    if (in.sequence() < items_) {
      log_[in.sequence()] = {.start_ns = start, .end_ns = now};
    }
    out.forward(in);  // in a serial row this calls the next stage
  }

 private:
  std::size_t items_;
  std::int64_t shortest_;
  std::int64_t longest_;
  LogEntry* log_ = nullptr;
};

PYSTREAM_STAGE("test.logged", Logged);

}  // namespace
}  // namespace pystream::testing
