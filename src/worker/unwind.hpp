#pragma once

#include <cstdint>
#include <pystream/error.hpp>
#include <string>

/// What unwinds a worker.
namespace pystream::worker {

/// The worker was told to stop at once.
struct Stopped {};

/// A stage gave up on an item and its policy is to fail.
class StageFailed : public Error {
 public:
  StageFailed(std::uint64_t sequence, const std::string& text) : Error(text), sequence_(sequence) {}
  std::uint64_t sequence() const { return sequence_; }

 private:
  std::uint64_t sequence_;
};

/// A source, stage or sink threw in start().
class StartFailed : public Error {
 public:
  using Error::Error;
};

}  // namespace pystream::worker
