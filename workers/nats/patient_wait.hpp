#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "nats/patience.hpp"

namespace pystream::nats {

/// A source was asked to end while it waited.
struct Interrupted {};

/// Sleeps, and says on standard error at first and then every ten seconds what it waits for.
class PatientWait final : public Patience {
 public:
  /// `who` starts every message. `interruptible`: throws Interrupted while the pipeline drains.
  PatientWait(std::string who, bool interruptible) : who_(std::move(who)), interruptible_(interruptible) {}

  void wait(unsigned attempt, const std::string& why) override;
  void note_success() override;

 private:
  std::string who_;
  bool interruptible_;
  bool told_ = false;
  std::chrono::steady_clock::time_point told_at_{};
};

}  // namespace pystream::nats
