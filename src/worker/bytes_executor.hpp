#pragma once

#include <cstdint>
#include <vector>

#include "worker/item_executor.hpp"
#include "worker/run_output.hpp"
#include "worker/run_tries.hpp"
#include "worker/segment_work.hpp"

namespace pystream::worker {

/// Gives a stage or sink many inputs of one size in a row, none of which is timed, and makes a run of
/// what a stage gives for them. That is for stages that give one item of always the same size for an input, or none,
/// outside of rows, replicas and branches. What else there is, ItemExecutor takes.
///
/// The stage is called once for each input, whatever becomes of the run: an input that does not fit into it is finished
/// by the usual output, behind what the inputs before it gave.
class BytesExecutor final : private RunLeaver {
 public:
  static bool fits(const SegmentWork& work);
  /// REQUIRES: fits().
  BytesExecutor(SegmentWork& work, ItemExecutor& items);
  BytesExecutor(const BytesExecutor&) = delete;
  BytesExecutor& operator=(const BytesExecutor&) = delete;

  /// Up to `most` inputs; how many. 0: the next one must be taken by itself, or there is none.
  std::uint32_t take(std::uint32_t most);

 private:
  bool collect(std::uint32_t most);
  bool reserve();
  void call_each();
  void call(std::uint32_t index);
  bool note_given(std::uint32_t index);
  void close();
  Output& leave_run(std::span<const std::byte> emitted) override;

  SegmentWork& work_;
  ItemExecutor& items_;
  ItemAdapter& stage_;
  bool terminal_;
  RunOutput output_;
  shm::FoundItems found_;
  std::uint64_t first_number_ = 0;
  std::size_t size_in_ = 0;
  std::size_t size_out_ = 0;
  bool has_gaps_ = false;          ///< in the sequence numbers of the inputs
  std::uint32_t items_ahead_ = 0;  ///< inputs that the run may have
  std::uint32_t done_ = 0;         ///< inputs of the run that are done and not counted yet
  std::uint32_t given_ = 0;        ///< items that they gave
  std::uint64_t given_bits_ = 0;   ///< bit i: input i, of the first kRunBits, gave one
  std::uint64_t sequences_ = 0;    ///< of found_.sequences, those of inputs that are not done
  RunTries tries_;
  std::vector<std::byte> scratch_;
};

}  // namespace pystream::worker
