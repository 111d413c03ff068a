#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "nats/log.hpp"
#include "nats/log_error.hpp"
#include "nats/patience.hpp"

/// A log in this process with everything that can go wrong with a real one.
namespace pystream::test {

/// The process that called a verb dies there.
struct Killed {};

/// How often, of 1,000 calls of a verb.
struct LogFaults {
  unsigned lost_request = 0;
  unsigned lost_reply = 0;
  unsigned late = 0;  ///< the request takes effect at some later verb, and is not answered
  unsigned unreachable = 0;
  unsigned killed = 0;
  std::size_t capacity = 0;  ///< parcels; 0: no limit
};

class FakeStream {
 public:
  explicit FakeStream(std::mt19937& random) : random_(random) {}

  LogFaults faults;
  /// Called at every verb: what others do meanwhile.
  std::function<void()> meanwhile = [] {};

  std::uint64_t last() const { return last_; }
  const std::map<std::uint64_t, std::vector<std::byte>>& parcels() const { return parcels_; }
  bool chance(unsigned of_thousand) { return random_() % 1000 < of_thousand; }

  /// The servers lose the last parcel, which they had acknowledged, and use its number again.
  void go_back() {
    if (parcels_.size() > 1) {
      parcels_.erase(last_--);
    }
  }

 private:
  friend class FakeLog;

  struct Late {
    std::uint64_t expected;
    std::vector<std::byte> parcel;
  };

  bool full() const { return faults.capacity > 0 && parcels_.size() >= faults.capacity; }
  nats::Appended apply(std::uint64_t expected, std::vector<std::byte> parcel) {
    if (expected != last_) {
      return nats::Appended::refused;
    }
    if (full()) {
      return nats::Appended::full;
    }
    parcels_.emplace(++last_, std::move(parcel));
    return nats::Appended::done;
  }
  void apply_late() {
    for (std::size_t i = 0; i < late_.size();) {
      if (chance(300)) {
        apply(late_[i].expected, std::move(late_[i].parcel));
        late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }

  std::mt19937& random_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::vector<std::byte>> parcels_;
  std::vector<Late> late_;
};

class FakeLog final : public nats::Log {
 public:
  explicit FakeLog(FakeStream& stream) : stream_(stream) {}

  nats::LogEntry last() override {
    const VerbScope scope(*this);
    const auto found = stream_.parcels_.find(stream_.last_);
    return {.number = stream_.last_,
            .parcel = found != stream_.parcels_.end() ? found->second : std::vector<std::byte>()};
  }
  nats::Appended append(std::uint64_t expected, std::span<const std::byte> parcel) override {
    const VerbScope scope(*this);
    std::vector<std::byte> bytes(parcel.begin(), parcel.end());
    if (stream_.chance(stream_.faults.lost_request)) {
      return nats::Appended::unknown;
    }
    if (stream_.chance(stream_.faults.late)) {
      stream_.late_.push_back({expected, std::move(bytes)});
      return nats::Appended::unknown;
    }
    const nats::Appended appended = stream_.apply(expected, std::move(bytes));
    return stream_.chance(stream_.faults.lost_reply) ? nats::Appended::unknown : appended;
  }
  std::optional<nats::LogEntry> read(std::uint64_t from, std::chrono::milliseconds) override {
    const VerbScope scope(*this);
    const auto found = stream_.parcels_.lower_bound(from);
    if (found == stream_.parcels_.end()) {
      return std::nullopt;
    }
    return nats::LogEntry{.number = found->first, .parcel = found->second};
  }
  void release(std::uint64_t upto) override {
    const VerbScope scope(*this);
    stream_.parcels_.erase(stream_.parcels_.begin(), stream_.parcels_.upper_bound(upto));
  }

 private:
  /// Others act before a verb takes effect, and a process may die before and behind it.
  class VerbScope {
   public:
    explicit VerbScope(FakeLog& log) {
      FakeStream& stream = log.stream_;
      stream.meanwhile();
      stream.apply_late();
      if (stream.chance(stream.faults.killed)) {
        throw Killed();
      }
      if (stream.chance(stream.faults.unreachable)) {
        throw nats::LogUnreachable("the test does not answer");
      }
    }
  };

  FakeStream& stream_;
};

/// Waits for nothing; lets others act, so that a full log gets room.
class NoPatience final : public nats::Patience {
 public:
  explicit NoPatience(std::function<void()> meanwhile) : meanwhile_(std::move(meanwhile)) {}
  void wait(unsigned, const std::string&) override {
    ++waits_;
    meanwhile_();
  }
  void note_success() override {}
  std::uint64_t waits() const { return waits_; }

 private:
  std::function<void()> meanwhile_;
  std::uint64_t waits_ = 0;
};

}  // namespace pystream::test
