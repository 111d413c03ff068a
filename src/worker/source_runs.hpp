#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "worker/run_output.hpp"
#include "worker/run_tries.hpp"
#include "worker/source_executor.hpp"

namespace pystream::worker {

/// Asks a source of bytes for many items in a row, none of which is timed, and makes a run of them where it gives one
/// item of always the same size in a call. That is for sources outside of rows and in front of links that are not
/// shared. What else there is, SourceExecutor takes.
///
/// As in BytesExecutor, the source is called once for each item, whatever becomes of the run: what a call gives that
/// does not fit into it goes to the segment's output, behind what the calls before it gave.
class SourceRuns final : private RunLeaver {
 public:
  static bool fits(const SegmentWork& work);
  /// REQUIRES: fits().
  SourceRuns(SegmentWork& work, SourceExecutor& source) : work_(work), source_(source), output_(*this) {}
  SourceRuns(const SourceRuns&) = delete;
  SourceRuns& operator=(const SourceRuns&) = delete;

  /// About `most` items at most; how many. Nothing: no call was made, and the next one is for SourceExecutor.
  std::optional<std::uint32_t> take(std::uint32_t most);

 private:
  std::uint32_t untimed(std::uint32_t most);
  bool has_run_size();
  void begin_call(std::uint64_t number);
  void begin_link_output();
  bool call_into_run(std::uint32_t items);
  bool call_one_by_one(std::uint32_t items);
  void count(std::uint32_t items);
  void close(bool cut);
  void end_run(bool threw);
  Output& leave_run(std::span<const std::byte> emitted) override;

  SegmentWork& work_;
  SourceExecutor& source_;
  RunOutput output_;
  std::uint64_t first_ = 0;  ///< number of the first item that take() gives
  std::size_t size_ = 0;     ///< of each item of the run
  std::uint32_t given_ = 0;  ///< items of the run that are not counted yet
  bool gave_ = false;        ///< the last call gave something that is counted
  RunTries tries_;
  std::vector<std::byte> scratch_;
};

}  // namespace pystream::worker
