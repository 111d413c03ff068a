#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <pystream/registry.hpp>
#include <string>
#include <vector>

#include "core/byte_queue.hpp"
#include "core/child_program.hpp"
#include "core/clock.hpp"
#include "core/exec_command.hpp"
#include "core/framing.hpp"
#include "core/sigpipe.hpp"

namespace pystream::core {
namespace {

constexpr std::size_t kChunk = 64 * 1024;
/// How often exec looks whether the program has closed or read its input, at least.
constexpr int kLookAgainMs = 100;
constexpr int kLookSoonMs = 10;
/// How long a program may take to end once its input has ended and every item is answered.
constexpr std::int64_t kGoodbyeNs = 2 * kNsPerSecond;
/// After so long without an answer a hint about buffering is printed, once.
constexpr std::int64_t kHintAfterNs = 5 * kNsPerSecond;
/// A program that answers so soon once its input ends had its answers ready.
constexpr std::int64_t kPromptNs = kNsPerSecond / 10;

/// A program of the user's as a stage: items go to its standard input, its standard output answers each.
///
/// Programs that buffer their output answer only once they have seen much more input, or its end. When no more input
/// comes before an answer does (flush()), the input of the program is closed after a while, so that it answers all it
/// has; what comes then goes to a new run of the program. In each run the numbers of items and answers must be equal.
class Exec final : public AsyncStage {
 public:
  explicit Exec(const Params& params)
      : framing_(Framing::from_param(params.find("framing"))),
        capacity_(static_cast<std::size_t>(std::max<std::int64_t>(1, params.integer("in_flight")))),
        patience_ns_(params.duration("flush_after").count()),
        command_(exec_command(params)) {
    program_.emplace(command_);
  }

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
                    .text = "how many items the program may hold unanswered; best it does not wait for more before it "
                            "answers (unbuffered output: sed -u, stdbuf -oL, python3 -u)",
                    .min = 1,
                    .max = 65536},
                   {.name = "flush_after",
                    .type = ParamType::duration,
                    .fallback = 10 * kNsPerSecond,
                    .text = "a program that gets no further item and has not answered for so long gets the end of its "
                            "input, so that it answers what it buffers; it is run again for the items behind",
                    .min = 1e6},
                   {.name = "cwd",
                    .type = ParamType::string,
                    .fallback = "",
                    .text = "directory to run it in; empty: the worker's"},
                   {.name = "env",
                    .type = ParamType::any,
                    .fallback = ParamMap{},
                    .text = "environment variables to set, an object of strings"}},
        .input = "any",
        .output = "any",
        .framing = "framing"};
  }

  void submit(const Item& in) override {
    if (unanswered() == 0) {
      refuse_surplus();
    }
    // Behind a flush items wait for the next run of the program.
    framing_.put(in.bytes(), (closing_ ? for_next_ : to_program_).tail());
    ++(closing_ ? waiting_ : sent_);
    retried_ = in.attempt() > 1;
    must_answer_ = false;
    moved_ns_ = now_ns();
    // What fits is left for collect() to write in one go.
    while (to_program_.size() > kChunk && !output_ended_) {
      crash_of_closed_input(now_ns());
      exchange(kLookAgainMs);
    }
  }

  bool collect(Output& out, std::chrono::nanoseconds wait) override {
    if (unanswered() == 0) {
      return false;
    }
    const std::int64_t deadline = now_ns() + std::min<std::int64_t>(wait.count(), 1'000 * kNsPerSecond);
    while (true) {
      if (emit_answer(out)) {
        return true;
      }
      const std::int64_t now = now_ns();
      if (output_ended_ || has_said_goodbye(now)) {
        end_run();
        continue;
      }
      hint_at_buffering(now);
      std::int64_t wake = deadline;
      if (must_answer_ && !closing_ && to_program_.empty()) {
        wake = std::min(wake, moved_ns_ + patience_ns());
        if (now >= moved_ns_ + patience_ns()) {
          close_early(now);
        }
      }
      crash_of_closed_input(now);
      const std::int64_t left_ms = (wake - now + 999'999) / 1'000'000;
      const bool moved = exchange(static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, kLookAgainMs)));
      if (!moved) {
        look_after_program();
      }
      if (!moved && !output_ended_ && now_ns() >= deadline) {
        return false;
      }
    }
  }

  void flush() override { must_answer_ = true; }

  void finish() override {
    finishing_ = true;
    if (!closing_) {
      close_input_after_items();
    }
  }

  std::size_t capacity() const override { return capacity_; }

  void cleanup() override {
    const bool all_answered = unanswered() == 0;
    closing_ = true;
    program_->close_input();
    if (all_answered) {
      await_goodbye();
    }
    if (all_answered) {
      note_end(program_->wait(std::chrono::milliseconds(0)));
    }
    program_->kill();
    if (all_answered) {
      refuse_answers_without_item();
    }
  }

 private:
  std::size_t unanswered() const { return sent_ - answered_ + waiting_; }

  bool emit_answer(Output& out) {
    if (sent_ == answered_) {
      return false;
    }
    std::optional<Framing::Frame> frame;
    try {
      frame = framing_.first(from_program_.bytes(), searched_);
    } catch (const PayloadError& fault) {
      crash(std::string("gave ") + fault.what());
    }
    if (!frame) {
      return false;
    }
    // An answer too large for the link is this item's error: it must not come again for the next one.
    const auto answer = from_program_.bytes().subspan(frame->skip, frame->size);
    note_answer();
    try {
      out.emit_bytes(answer);
    } catch (...) {
      from_program_.drop(frame->total);
      throw;
    }
    from_program_.drop(frame->total);
    return true;
  }

  void note_answer() {
    ++answered_;
    searched_ = 0;
    moved_ns_ = now_ns();
    if (closed_early_ns_) {
      // Was the program slow, or did it hold answers back? A slow one is left alone for longer next time.
      const std::int64_t took = moved_ns_ - std::exchange(closed_early_ns_, std::nullopt).value();
      buffers_ = took < kPromptNs;
      slow_ = slow_ || !buffers_;
      patience_ns_ = buffers_ ? patience_ns_ : 4 * (patience_ns_ + took);
    }
  }

  // ---- One run of the program and the next ----

  /// What the program gets from here on waits for its next run.
  void close_input_after_items() {
    closing_ = true;
    close_input_once_read();
  }

  /// As long as the input is open poll() tells if the program closes it with items unread.
  void close_input_once_read() {
    if (closing_ && to_program_.empty() && program_->input_open() &&
        (sent_ == answered_ || program_->unread_input() == 0)) {
      program_->close_input();
    }
  }

  std::int64_t patience_ns() const {
    return buffers_ || (retried_ && !slow_) ? std::min(patience_ns_, kPromptNs) : patience_ns_;
  }

  void close_early(std::int64_t now) {
    if (!noted_flush_) {
      noted_flush_ = true;
      std::fprintf(
          stderr,
          "exec: \"%s\" holds %zu items and does not answer; its input is ended so that it does, and it is run "
          "again for the items behind. If it buffers its output, make it write every answer at once (sed -u, "
          "stdbuf -oL, python3 -u); if it waits for more items, raise \"in_flight\"; if it is only slow, raise "
          "\"flush_after\"\n",
          name(), sent_ - answered_);
    }
    closed_early_ns_ = now;
    close_input_after_items();
  }

  /// Everything is answered, and the program still runs for too long, or something that it started.
  bool has_said_goodbye(std::int64_t now) const {
    return closing_ && sent_ == answered_ && now - moved_ns_ > kGoodbyeNs;
  }

  /// A program may have ended while something that it started holds its output open.
  void look_after_program() {
    if (now_ns() - moved_ns_ > kGoodbyeNs && program_->wait(std::chrono::milliseconds(0))) {
      output_ended_ = true;
    }
  }

  /// The output has ended, with items of this run or of the next one unanswered.
  void end_run() {
    if (sent_ > answered_ && take_unfinished_line()) {
      return;
    }
    if (sent_ > answered_) {
      const std::optional<int> status = program_->wait(std::chrono::milliseconds(500));
      if (status && *status == 0) {
        fail();
      }
      crash(status ? "ended" : "closed its standard output");
    }
    refuse_answers_without_item();
    const std::int64_t left_ns = std::max<std::int64_t>(0, moved_ns_ + kGoodbyeNs - now_ns());
    note_end(program_->wait(std::chrono::milliseconds(left_ns / 1'000'000)));
    program_.reset();
    program_.emplace(command_);
    to_program_ = std::exchange(for_next_, {});
    from_program_ = {};
    sent_ = std::exchange(waiting_, 0);
    answered_ = searched_ = 0;
    output_ended_ = input_broken_ = input_closed_ = closing_ = false;
    moved_ns_ = now_ns();
    if (finishing_) {
      close_input_after_items();
    }
  }

  /// A run that has answered every item has ended so, or (nullopt) is killed now.
  void note_end(const std::optional<int>& status) const {
    if (!status) {
      std::fprintf(stderr, "exec: \"%s\" did not end within 2 s of the end of its input; killed\n", name());
    } else if (*status != 0) {
      std::fprintf(stderr, "exec: \"%s\" ended with %s after it had answered every item\n", name(),
                   describe_status(*status).c_str());
    }
  }

  /// The end of the output ends the last line, unless the program was torn from it.
  bool take_unfinished_line() {
    if (from_program_.empty() || !framing_.ends_with_output()) {
      return false;
    }
    const std::optional<int> status = program_->wait(std::chrono::milliseconds(500));
    if (status && *status != 0) {
      return false;
    }
    from_program_.tail().push_back(std::byte{'\n'});
    return true;
  }

  /// After the last answer: reads until the program has ended.
  void await_goodbye() {
    const std::int64_t deadline = now_ns() + kGoodbyeNs;
    while (now_ns() < deadline && !(output_ended_ && program_->wait(std::chrono::milliseconds(20)))) {
      if (!output_ended_) {
        count_surplus();
        read_answers(50);
      }
    }
    count_surplus();
  }

  /// Without keeping it: a program that answers without end must not fill the memory.
  void count_surplus() {
    try {
      while (!from_program_.empty() && surplus_ < kMostSurplus) {
        const auto frame = framing_.first(from_program_.bytes(), searched_);
        if (!frame) {
          return;
        }
        from_program_.drop(frame->total);
        searched_ = 0;
        ++surplus_;
      }
    } catch (const PayloadError&) {
      ++surplus_;  // not even an answer
      searched_ = 0;
    }
    from_program_.drop(from_program_.size());
  }

  void refuse_answers_without_item() {
    if (surplus_ > 0 || !from_program_.empty()) {
      fail();
    }
  }

  /// REQUIRES: all is answered.
  void refuse_surplus() {
    if (!output_ended_ && !closing_) {
      read_answers(0);
    }
    refuse_answers_without_item();
  }

  // ---- Bytes ----

  /// Writes and reads what goes without waiting; waits up to `wait_ms` if nothing goes. True if bytes were moved.
  bool exchange(int wait_ms) {
    close_input_once_read();
    const bool writes = !to_program_.empty() && program_->input_open();
    const bool watches = writes || (program_->input_open() && !input_closed_);
    const bool awaits_reading = closing_ && !writes && watches;
    const short to_write = writes ? POLLOUT : 0;
    pollfd ends[2] = {{.fd = program_->output(), .events = POLLIN, .revents = 0},
                      {.fd = watches ? program_->input() : -1, .events = to_write, .revents = 0}};
    if (::poll(ends, 2, awaits_reading ? std::min(wait_ms, kLookSoonMs) : wait_ms) <= 0) {
      return false;
    }
    bool moved = false;
    if (ends[1].revents != 0) {
      moved = writes ? write_items() : note_closed_input();
    }
    if (ends[0].revents != 0) {
      moved = read_answers(0) || moved;
    }
    return moved;
  }

  /// The program has closed its input while nothing was to be written. If it had read all, it may answer as late as it
  /// likes.
  bool note_closed_input() {
    input_closed_ = true;
    if (program_->unread_input() > 0) {
      break_input();
    }
    return true;
  }

  /// It may still answer what it has read.
  void break_input() {
    input_broken_ = true;
    to_program_ = {};
    program_->close_input();
  }

  void crash_of_closed_input(std::int64_t now) {
    if (input_broken_ && now - moved_ns_ > kGoodbyeNs) {
      crash("closed its standard input and answers no more");
    }
  }

  bool write_items() {
    SigpipeGuard guard;
    const ssize_t put = ::write(program_->input(), to_program_.bytes().data(), to_program_.size());
    if (put < 0 && errno == EPIPE) {
      guard.note_epipe();
      break_input();
      return true;
    }
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
      crash(std::string("cannot be written to: ") + std::strerror(errno));
    }
    if (put <= 0) {
      return false;
    }
    to_program_.drop(static_cast<std::size_t>(put));
    moved_ns_ = now_ns();
    return true;
  }

  bool read_answers(int wait_ms) {
    pollfd end{.fd = program_->output(), .events = POLLIN, .revents = 0};
    if (wait_ms > 0 && ::poll(&end, 1, wait_ms) <= 0) {
      return false;
    }
    const ssize_t got = ::read(program_->output(), chunk_.data(), chunk_.size());
    if (got > 0) {
      std::vector<std::byte>& tail = from_program_.tail();
      tail.insert(tail.end(), chunk_.begin(), chunk_.begin() + got);
      moved_ns_ = now_ns();
    }
    output_ended_ = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    return got > 0;
  }

  void hint_at_buffering(std::int64_t now) {
    if (!hinted_ && now - moved_ns_ > kHintAfterNs) {
      hinted_ = true;
      std::fprintf(stderr,
                   "exec: \"%s\" has not answered for 5 s with %zu items unanswered; if it buffers its output, make it "
                   "write every answer at once (sed -u, stdbuf -oL, python3 -u)\n",
                   name(), unanswered());
    }
  }

  // ---- Faults ----

  /// "gave 3 answers to 5 items"
  std::string counts() {
    count_surplus();
    const std::size_t answers = answered_ + surplus_ + (from_program_.empty() ? 0 : 1);
    return "gave " + std::string(surplus_ < kMostSurplus ? "" : "at least ") + std::to_string(answers) +
           (answers == 1 ? " answer to " : " answers to ") + std::to_string(sent_) + (sent_ == 1 ? " item" : " items");
  }

  /// The answers do not belong to the items; to run the program again would give the same.
  [[noreturn]] void fail() {
    const std::optional<int> status = program_->wait(std::chrono::milliseconds(0));
    throw StageBroken("exec: \"" + command_.arguments.front() + "\" " + counts() +
                      (status ? " and ended with " + describe_status(*status) : "") +
                      "; it must answer each item exactly once, so the results since it was started (" +
                      std::to_string(answered_) + " passed on) may belong to other items");
  }

  /// The program is part of this stage: without it the worker crashes, and what that means is the plan's to say.
  [[noreturn]] void crash(const std::string& what) {
    const std::optional<int> status = program_->wait(std::chrono::milliseconds(500));
    const std::string how = status ? " (it ended with " + describe_status(*status) + ")" : " (it is still running)";
    std::fprintf(stderr, "exec: \"%s\" %s%s after %zu answers to %zu items; items unanswered: %zu\n", name(),
                 what.c_str(), how.c_str(), answered_, sent_, unanswered());
    std::fflush(stderr);
    program_->kill();
    std::raise(SIGABRT);
    std::abort();
  }

  const char* name() const { return command_.arguments.front().c_str(); }

  static constexpr std::size_t kMostSurplus = 1'000'000;  ///< answers without an item are not counted beyond

  Framing framing_;
  std::size_t capacity_;
  std::int64_t patience_ns_;
  ChildProgram::Command command_;
  std::optional<ChildProgram> program_;
  std::vector<std::byte> chunk_ = std::vector<std::byte>(kChunk);
  ByteQueue to_program_;
  ByteQueue from_program_;
  ByteQueue for_next_;         ///< items for the next run of the program
  std::size_t waiting_ = 0;    ///< how many those are
  std::size_t sent_ = 0;       ///< in this run of the program
  std::size_t answered_ = 0;   ///< of those
  std::size_t surplus_ = 0;    ///< answers without an item
  std::size_t searched_ = 0;   ///< bytes of from_program_ that hold no whole answer
  std::int64_t moved_ns_ = 0;  ///< when something came from the program or went to it last
  bool closing_ = false;       ///< its input ends behind the items in to_program_
  bool finishing_ = false;     ///< no further item comes
  bool must_answer_ = false;   ///< no further item comes before an answer
  bool retried_ = false;       ///< the last item was with a program that died
  bool buffers_ = false;       ///< it held answers back until its input ended
  bool slow_ = false;          ///< it did not, and answered later
  bool input_closed_ = false;  ///< the program was seen to have closed its standard input
  bool input_broken_ = false;  ///< and with items unread
  bool output_ended_ = false;
  bool hinted_ = false;
  bool noted_flush_ = false;
  std::optional<std::int64_t> closed_early_ns_;  ///< until the first answer after that
};

PYSTREAM_STAGE("exec", Exec);

}  // namespace
}  // namespace pystream::core
