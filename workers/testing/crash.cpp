#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <pystream/registry.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"

/// Stages that fail on purpose: for tests, and for fault drills on a pipeline of one's own.
namespace pystream::testing {
namespace {

enum class Failure { segv, overflow, abort, kill, exit, leave, scribble, throw_error, hang };

constexpr std::array kFailures{
    std::pair{"segv", Failure::segv},         std::pair{"overflow", Failure::overflow},
    std::pair{"abort", Failure::abort},       std::pair{"kill", Failure::kill},
    std::pair{"exit", Failure::exit},         std::pair{"leave", Failure::leave},
    std::pair{"scribble", Failure::scribble}, std::pair{"throw", Failure::throw_error},
    std::pair{"hang", Failure::hang},
};

/// Calls itself until the stack is full.
int overflow(volatile int* depth) {
  volatile int here[256] = {};
  here[0] = *depth + 1;
  return here[0] > 0 ? overflow(here) + here[0] : 0;
}

Failure failure_from(const std::string& name) {
  for (const auto& [known, failure] : kFailures) {
    if (name == known) {
      return failure;
    }
  }
  throw InvalidParam("test.crash: parameter \"how\" is \"" + name +
                     "\"; expected segv, overflow, abort, kill, exit, leave, scribble, throw or hang");
}

void fail(Failure failure, const Item& in) {
  switch (failure) {
    case Failure::segv: {
      // A true fault, so that a crash report has an address to show.
      void* page = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      *static_cast<volatile char*>(page) = 1;
      return;
    }
    case Failure::overflow: {
      volatile int depth = 0;
      overflow(&depth);
      return;
    }
    case Failure::abort:
      std::abort();
    case Failure::kill:
      std::raise(SIGKILL);
      return;
    case Failure::exit:
      ::_exit(3);
    case Failure::leave:
      ::_exit(0);
    case Failure::scribble:
      *const_cast<volatile std::byte*>(in.bytes().data()) = std::byte{0};  // somebody else's memory
      return;
    case Failure::throw_error:
      throw Error("test.crash: told to throw at item " + std::to_string(in.sequence()) + ", attempt " +
                  std::to_string(in.attempt()));
    case Failure::hang:
      while (true) {
        ::pause();
      }
  }
}

class Crash final : public RawStage {
 public:
  explicit Crash(const Params& params)
      : failure_(failure_from(params.string("how"))),
        sequence_(static_cast<std::uint64_t>(params.integer("sequence"))),
        every_(static_cast<std::uint64_t>(params.integer("every"))),
        attempts_(static_cast<std::uint64_t>(params.integer("attempts"))) {}

  static StageInfo describe() {
    StageInfo info{.summary = "fails at a chosen item and passes the others on",
                   .params = {{.name = "how", .type = ParamType::string, .fallback = "segv", .text = "how it fails"},
                              {.name = "sequence",
                               .type = ParamType::integer,
                               .fallback = 0,
                               .text = "number of the item it fails at",
                               .min = 0},
                              {.name = "every",
                               .type = ParamType::integer,
                               .fallback = 0,
                               .text = "and again at every so many items after it; 0: only there",
                               .min = 0},
                              {.name = "attempts",
                               .type = ParamType::integer,
                               .fallback = 1,
                               .text = "fails at the first so many attempts at such an item, then lets it pass",
                               .min = 1}},
                   .input = "any",
                   .output = "any"};
    for (const auto& [name, failure] : kFailures) {
      info.params.front().choices.push_back(name);
    }
    return info;
  }

  void operator()(const Item& in, Output& out) override {
    if (is_chosen(in.sequence()) && in.attempt() <= attempts_) {
      fail(failure_, in);
    }
    out.forward(in);
  }

 private:
  bool is_chosen(std::uint64_t sequence) const {
    return every_ == 0 ? sequence == sequence_ : sequence >= sequence_ && (sequence - sequence_) % every_ == 0;
  }

  Failure failure_;
  std::uint64_t sequence_;
  std::uint64_t every_;
  std::uint64_t attempts_;
};

/// A slow start is not a hang, and a slow end is one only at last.
class SleepStart final : public RawStage {
 public:
  explicit SleepStart(const Params& params) : cleanup_ns_(params.duration("cleanup").count()) {
    sleep(params.duration("time").count());
  }

  static StageInfo describe() {
    return {.summary = "takes long to start, then passes items on",
            .params = {{.name = "time",
                        .type = ParamType::duration,
                        .fallback = 1'000'000'000,
                        .text = "how long its start takes",
                        .min = 0},
                       {.name = "cleanup",
                        .type = ParamType::duration,
                        .fallback = 0,
                        .text = "how long its cleanup() takes",
                        .min = 0}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override { out.forward(in); }
  void cleanup() override { sleep(cleanup_ns_); }

 private:
  static void sleep(std::int64_t ns) {
    const std::int64_t end = core::now_ns() + ns;
    while (core::now_ns() < end) {
      core::sleep_until(end);
    }
  }

  std::int64_t cleanup_ns_;
};

/// Keeps more and more memory.
class Leak final : public RawStage {
 public:
  explicit Leak(const Params& params) : bytes_(static_cast<std::size_t>(params.integer("bytes"))) {}

  static StageInfo describe() {
    return {.summary = "keeps some memory for every item and passes it on",
            .params = {{.name = "bytes",
                        .type = ParamType::integer,
                        .fallback = 1 << 20,
                        .text = "how much for each item",
                        .min = 0}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    kept_.emplace_back(bytes_, 'x');
    out.forward(in);
  }

 private:
  std::size_t bytes_;
  std::vector<std::string> kept_;
};

/// Works without end at one item, so that only a limit stops it.
class Burn final : public RawStage {
 public:
  explicit Burn(const Params& params) : sequence_(static_cast<std::uint64_t>(params.integer("sequence"))) {}

  static StageInfo describe() {
    return {
        .summary = "burns CPU time for ever at a chosen item and passes the others on",
        .params =
            {{.name = "sequence", .type = ParamType::integer, .fallback = 0, .text = "number of the item", .min = 0}},
        .input = "any",
        .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    for (volatile std::uint64_t turns = 0; in.sequence() == sequence_;) {
      turns = turns + 1;
    }
    out.forward(in);
  }

 private:
  std::uint64_t sequence_;
};

PYSTREAM_STAGE("test.burn", Burn);
PYSTREAM_STAGE("test.leak", Leak);
PYSTREAM_STAGE("test.crash", Crash);
PYSTREAM_STAGE("test.sleep_start", SleepStart);

}  // namespace
}  // namespace pystream::testing
