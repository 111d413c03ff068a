#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace pystream {

/// Base of every exception this library throws on purpose. The message says what happened, where,
/// what was expected and what to do.
///
///     try {
///       pipeline.parallelize();
///     } catch (const pystream::Error& error) {
///       std::cerr << error.what() << "\n";
///     }
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A pipeline was used before serialize()/parallelize(), after cleanup(), or in another process than the one that made
/// it.
class PipelineUndefined : public Error {
 public:
  using Error::Error;
};

/// What ended a running pipeline; see PipelineTerminated.
struct TerminationReason {
  std::string stage;                  ///< profile key of the stage, empty if unknown
  int signal = 0;                     ///< signal that killed its worker, 0 if none
  std::optional<std::uint64_t> item;  ///< sequence number of the item in work, if any
  std::string text;                   ///< one sentence for people
};

/// The pipeline failed while it ran: a stage died or gave up for good, or its coordinator is gone. Every call throws it
/// until cleanup() or a new start.
///
///     } catch (const pystream::PipelineTerminated& end) {
///       std::cerr << end.reason().stage << ": " << end.reason().text << "\n";
///     }
class PipelineTerminated : public Error {
 public:
  /// Its what() is made of `reason`.
  explicit PipelineTerminated(TerminationReason reason);
  /// Stage, signal and item, as far as they are known.
  const TerminationReason& reason() const noexcept { return reason_; }

 private:
  TerminationReason reason_;
};

/// The pipeline could not be started: no memory, a stage whose constructor threw, mismatching types.
class PipelineInitiationError : public Error {
 public:
  using Error::Error;
};

/// A stage name breaks one of the naming rules; the message says which.
class InvalidStageName : public Error {
 public:
  using Error::Error;
};

/// Profiles were asked for and cannot be given.
class ProfilingError : public Error {
 public:
  using Error::Error;
};

/// A parameter of a stage is missing, of the wrong type or out of range.
class InvalidParam : public Error {
 public:
  using Error::Error;
};

/// Bytes that do not decode as the payload type a stage expects, or items of another C++ type than the pipeline's.
class PayloadError : public Error {
 public:
  using Error::Error;
};

/// A stage cannot go on, whichever item comes: it has found that its results do not belong to its items, for example.
/// Thrown by a stage, it ends the run with this text; neither `on_error` nor `on_crash` applies.
class StageBroken : public Error {
 public:
  using Error::Error;
};

/// An item is larger than its link can ever carry (LinkCapacity::bytes). Thrown to whoever made it: the caller of
/// forward(), or the stage, whose error it then is.
class ItemTooLarge : public Error {
 public:
  /// Both in bytes; what() names them.
  ItemTooLarge(std::uint64_t size, std::uint64_t limit);
  std::uint64_t size() const noexcept { return size_; }    ///< bytes of the item
  std::uint64_t limit() const noexcept { return limit_; }  ///< bytes the link can carry

 private:
  std::uint64_t size_;
  std::uint64_t limit_;
};

}  // namespace pystream
