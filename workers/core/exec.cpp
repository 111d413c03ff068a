#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <optional>
#include <pystream/registry.hpp>
#include <string>
#include <vector>

#include "core/child_program.hpp"
#include "core/clock.hpp"
#include "core/framing.hpp"
#include "core/sigpipe.hpp"

namespace pystream::core {
namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr auto kGoodbye = std::chrono::seconds(2);
/// After so long without an answer a hint about buffering is printed, once.
constexpr std::int64_t kHintAfterNs = 5 * kNsPerSecond;

std::vector<std::string> environment_of(const ParamValue* value) {
  std::vector<std::string> entries;
  const auto* object = value == nullptr ? nullptr : std::get_if<ParamMap>(value);
  const auto refuse = [] {
    throw InvalidParam("exec: parameter \"env\" must be an object of strings, such as {\"LANG\": \"C\"}");
  };
  if (object == nullptr) {
    refuse();
  }
  for (const auto& [name, text] : *object) {
    if (name.empty() || name.find('=') != name.npos || !std::holds_alternative<std::string>(text)) {
      refuse();
    }
    entries.push_back(name + "=" + std::get<std::string>(text));
  }
  return entries;
}

/// Bytes on their way through a pipe: written at the end, taken from the front.
class ByteQueue {
 public:
  std::span<const std::byte> bytes() const { return std::span(bytes_).subspan(begin_); }
  bool empty() const { return begin_ == bytes_.size(); }
  std::size_t size() const { return bytes_.size() - begin_; }
  void drop(std::size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
      bytes_.clear();
      begin_ = 0;
    }
  }
  /// The underlying bytes, to append to.
  std::vector<std::byte>& tail() {
    if (begin_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
    return bytes_;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
};

/// A program of the user's as a stage: items go to its standard input, its standard output answers each.
class Exec final : public AsyncStage {
 public:
  explicit Exec(const Params& params)
      : framing_(Framing::from_param(params.find("framing"))),
        capacity_(static_cast<std::size_t>(std::max<std::int64_t>(1, params.integer("in_flight")))),
        command_(command_of(params)),
        program_(command_) {}

  static StageInfo describe() {
    return {
        .summary = "runs a program that answers every item it gets on standard input",
        .params = {{.name = "command", .type = ParamType::list, .text = "the program and its arguments"},
                   {.name = "framing",
                    .type = ParamType::any,
                    .fallback = "lines",
                    .text = "how items are told apart, both ways: \"lines\"; \"u32\" (each after its size as 4 bytes "
                            "little endian); {\"fixed\": n} (all of n bytes)"},
                   {.name = "in_flight",
                    .type = ParamType::integer,
                    .fallback = 64,
                    .text = "how many items the program may hold unanswered; it must not wait for more before it "
                            "answers (unbuffered output: sed -u, stdbuf -oL, python3 -u)",
                    .min = 1,
                    .max = 65536},
                   {.name = "cwd",
                    .type = ParamType::string,
                    .fallback = "",
                    .text = "directory to run it in; empty: the worker's"},
                   {.name = "env",
                    .type = ParamType::any,
                    .fallback = ParamMap{},
                    .text = "environment variables to set, an object of strings"}},
        .input = "any",
        .output = "any"};
  }

  void submit(const Item& in) override {
    if (unanswered_ == 0 && !from_program_.empty()) {
      die("gave more answers than it got items; it must answer each item exactly once");
    }
    framing_.put(in.bytes(), to_program_.tail());
    ++unanswered_;
    // What fits is left for collect() to write in one go.
    while (to_program_.size() > kChunk) {
      exchange(-1);
    }
  }

  bool collect(Output& out, std::chrono::nanoseconds wait) override {
    if (unanswered_ == 0) {
      return false;
    }
    const std::int64_t start = now_ns();
    const std::int64_t deadline = start + std::min<std::int64_t>(wait.count(), 1'000 * kNsPerSecond);
    while (true) {
      if (emit_answer(out)) {
        waiting_since_.reset();
        return true;
      }
      if (ended_) {
        die("ended");
      }
      const std::int64_t now = now_ns();
      hint_at_buffering(now);
      const std::int64_t left_ms = (deadline - now + 999'999) / 1'000'000;
      const bool moved = exchange(static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, 100)));
      if (!moved && now_ns() >= deadline) {
        return false;
      }
    }
  }

  void finish() override {
    while (!to_program_.empty()) {
      exchange(-1);
    }
    program_.close_input();
  }

  std::size_t capacity() const override { return capacity_; }

  void cleanup() override {
    program_.close_input();
    const std::int64_t deadline = now_ns() + std::chrono::nanoseconds(kGoodbye).count();
    const bool all_answered = unanswered_ == 0;
    std::size_t surplus = from_program_.size();
    // It may have things left to say, and could not end if nobody listened.
    while (!ended_ && now_ns() < deadline) {
      from_program_.drop(from_program_.size());
      read_answers(50);
      surplus += from_program_.size();
    }
    if (all_answered && surplus > 0) {
      std::fprintf(
          stderr,
          "exec: \"%s\" gave %zu bytes more than one answer for each item; if they are answers, the results are "
          "shifted\n",
          name(), surplus);
    }
    const auto left = std::chrono::nanoseconds(std::max<std::int64_t>(0, deadline - now_ns()));
    const std::optional<int> status = program_.wait(std::chrono::duration_cast<std::chrono::milliseconds>(left));
    if (!status) {
      std::fprintf(stderr, "exec: \"%s\" did not end within 2 s of the end of its input; killed\n", name());
    } else if (*status != 0) {
      std::fprintf(stderr, "exec: \"%s\" ended with %s\n", name(), describe_status(*status).c_str());
    }
    program_.kill();
    unanswered_ = 0;
  }

 private:
  static ChildProgram::Command command_of(const Params& params) {
    ChildProgram::Command command{.arguments = params.strings("command"),
                                  .environment = environment_of(params.find("env")),
                                  .directory = params.string("cwd")};
    if (command.arguments.empty() || command.arguments.front().empty()) {
      throw InvalidParam(
          "exec: parameter \"command\" is empty; expected a program and its arguments, such as "
          "[\"sed\", \"-u\", \"s/a/b/\"]");
    }
    return command;
  }

  bool emit_answer(Output& out) {
    std::optional<Framing::Frame> frame;
    try {
      frame = framing_.first(from_program_.bytes(), searched_);
    } catch (const PayloadError& fault) {
      die(std::string("gave ") + fault.what());
    }
    if (!frame) {
      return false;
    }
    // An answer too large for the link is this item's error: it must not come again for the next one.
    const auto answer = from_program_.bytes().subspan(frame->skip, frame->size);
    --unanswered_;
    searched_ = 0;
    try {
      out.emit_bytes(answer);
    } catch (...) {
      from_program_.drop(frame->total);
      throw;
    }
    from_program_.drop(frame->total);
    return true;
  }

  /// Writes and reads what goes without waiting; waits up to `wait_ms` (-1: for ever) if nothing goes.
  /// True if bytes were moved.
  bool exchange(int wait_ms) {
    if (ended_) {
      die("ended");
    }
    pollfd ends[2] = {{.fd = program_.output(), .events = POLLIN, .revents = 0},
                      {.fd = to_program_.empty() ? -1 : program_.input(), .events = POLLOUT, .revents = 0}};
    if (::poll(ends, 2, wait_ms) <= 0) {
      return false;
    }
    bool moved = false;
    if (ends[1].revents != 0) {
      moved = write_items();
    }
    if (ends[0].revents != 0) {
      moved = read_answers(0) || moved;
    }
    return moved;
  }

  bool write_items() {
    SigpipeGuard guard;
    const ssize_t put = ::write(program_.input(), to_program_.bytes().data(), to_program_.size());
    if (put > 0) {
      to_program_.drop(static_cast<std::size_t>(put));
      return true;
    }
    if (put < 0 && errno == EPIPE) {
      guard.note_epipe();
      // Answers that it gave before may still be in the pipe, but not those to what it did not take.
      die("closed its standard input");
    }
    return false;
  }

  bool read_answers(int wait_ms) {
    pollfd end{.fd = program_.output(), .events = POLLIN, .revents = 0};
    if (wait_ms > 0 && ::poll(&end, 1, wait_ms) <= 0) {
      return false;
    }
    const ssize_t got = ::read(program_.output(), chunk_.data(), chunk_.size());
    if (got > 0) {
      std::vector<std::byte>& tail = from_program_.tail();
      tail.insert(tail.end(), chunk_.begin(), chunk_.begin() + got);
    }
    ended_ = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    return got > 0;
  }

  void hint_at_buffering(std::int64_t now) {
    if (!waiting_since_) {
      waiting_since_ = now;
    } else if (!hinted_ && now - *waiting_since_ > kHintAfterNs) {
      hinted_ = true;
      std::fprintf(stderr,
                   "exec: \"%s\" has not answered for 5 s with %zu items unanswered; if it buffers its output, make it "
                   "write every answer at once (sed -u, stdbuf -oL, python3 -u)\n",
                   name(), unanswered_);
    }
  }

  /// The program is part of this stage: without it the worker crashes, and what that means is the plan's to say.
  [[noreturn]] void die(const std::string& what) {
    const std::optional<int> status = program_.wait(std::chrono::milliseconds(500));
    const std::string how = status ? " (it ended with " + describe_status(*status) + ")" : " (it is still running)";
    std::fprintf(stderr, "exec: \"%s\" %s%s; items unanswered: %zu\n", name(), what.c_str(), how.c_str(), unanswered_);
    std::fflush(stderr);
    program_.kill();
    std::raise(SIGABRT);
    std::abort();
  }

  const char* name() const { return command_.arguments.front().c_str(); }

  Framing framing_;
  std::size_t capacity_;
  ChildProgram::Command command_;
  ChildProgram program_;
  std::vector<std::byte> chunk_ = std::vector<std::byte>(kChunk);
  ByteQueue to_program_;
  ByteQueue from_program_;
  std::size_t searched_ = 0;
  std::size_t unanswered_ = 0;
  bool ended_ = false;
  bool hinted_ = false;
  std::optional<std::int64_t> waiting_since_;
};

PYSTREAM_STAGE("exec", Exec);

}  // namespace
}  // namespace pystream::core
