#pragma once

#include <cstddef>
#include <cstdint>
#include <pystream/codec.hpp>
#include <span>
#include <string>
#include <vector>

namespace pystream {

/// An item that a stage of a pipeline with workers could not process: it threw at it, or its worker died on it
/// `max_attempts` times. The pipeline went on without it. Pipeline::dead_letters() gives them:
///
///     for (const pystream::DeadLetter& letter : pipeline.dead_letters()) {
///       std::cerr << letter.stage << " failed on item " << letter.sequence << ": " << letter.reason << "\n";
///       repair(letter.item<int>());
///     }
struct DeadLetter {
  std::string stage;             ///< profile key of the stage that failed
  std::uint64_t sequence = 0;    ///< number of the item: that of its forward(), from 0
  std::uint32_t attempts = 0;    ///< how often it was tried
  std::string reason;            ///< what() of the exception, or how the worker died
  int signal = 0;                ///< that killed the worker; 0: the stage threw
  std::string stack;             ///< of a worker that died, innermost place first; empty: not known
  std::vector<std::byte> bytes;  ///< the item as it came to the worker of that stage

  /// The item decoded. In a serial pipeline inside a parallel one that is what the first of its stages takes, since
  /// they share a worker. Throws PayloadError if the bytes are no T.
  template <class T>
  T item() const {
    return Codec<T>::decode(std::span<const std::byte>(bytes));
  }
};

}  // namespace pystream
