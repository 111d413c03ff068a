#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <pystream/codec.hpp>
#include <pystream/status.hpp>
#include <span>
#include <stop_token>

#include "api/figures.hpp"
#include "api/letter_source.hpp"

namespace pystream::api {

/// Gives the next of several values, nullptr at their end.
using NextValue = std::function<const void*()>;
/// Takes a result; what it throws leaves the result unread.
using Decode = std::function<void(std::span<const std::byte>)>;

/// An open loan; destroyed without send(), nothing is sent.
class LoanSlot {
 public:
  virtual ~LoanSlot() = default;
  virtual std::span<std::byte> bytes() = 0;
  /// REQUIRES: size is at most bytes().size(); called once.
  virtual void send(std::size_t size) = 0;
};

/// A pipeline that runs. Values have been checked to be of the type that the first stage takes.
class Run {
 public:
  virtual ~Run() = default;
  /// False if there was no room in time, or `stop` was requested.
  [[nodiscard]] virtual bool forward(const void* value, const ValueType& type, const std::stop_token& stop) = 0;
  [[nodiscard]] virtual std::size_t forward_all(const ValueType& type, const NextValue& next) = 0;
  /// nullptr: no room in time.
  [[nodiscard]] virtual std::unique_ptr<LoanSlot> loan(std::size_t size) = 0;
  [[nodiscard]] virtual bool take_result(const Decode& decode) = 0;
  /// As take_result(), and what else is there, at most `limit` in all; how many.
  [[nodiscard]] virtual std::size_t take_results(std::size_t limit, const Decode& decode) = 0;
  [[nodiscard]] virtual bool drain(std::chrono::nanoseconds timeout) = 0;
  /// Waits for the end of the source and of all that it gave; what became of the items, nullopt: not in time. Throws
  /// Error if there is no source.
  [[nodiscard]] virtual std::optional<RunTotals> wait(std::chrono::nanoseconds timeout) = 0;
  /// Throws ProfilingError. REQUIRES: it was started with a profiler.
  virtual Profiles profiles() = 0;
  virtual PipelineStatus status() = 0;
  /// Where its dead letters are; nullopt: there are none.
  virtual std::optional<LetterSource> letters() const = 0;
  /// Ends it; stages clean up. Called once, last.
  virtual void stop() = 0;
};

}  // namespace pystream::api
