#pragma once

#include <cstddef>
#include <cstdint>

#include "shm/ring_writer.hpp"
#include "worker/chain.hpp"
#include "worker/cursors.hpp"
#include "worker/inputs.hpp"
#include "worker/link_output.hpp"
#include "worker/meter.hpp"
#include "worker/monitor.hpp"
#include "worker/saved_state.hpp"

namespace pystream::worker {

/// Knows which inputs of a segment are done, and commits: output, cursors, checkpoints and counters become valid with
/// the one word that the ring publishes.
///
/// Invariants:
/// 1. A commit holds whole inputs; only when the output link is full is part of one input published, and then the
///    journal says how much.
/// 2. The cursors of a commit are those of the moment before the input in work.
/// 3. A checkpoint is written before the commit that it belongs to, into the copy that the last commit does not use.
class Committer {
 public:
  /// Takes over from the predecessor that the journal tells of; restore() follows. `checkpoints`: two areas of
  /// `checkpoint_bytes`, or nullptr. `inputs` may be constructed later. Throws Error if the stages' cursors do not fit.
  Committer(shm::RingWriter& ring, const Inputs& inputs, LinkOutput& output, Chain& chain, Meter& meter,
            Monitor& monitor, RowPlace place, std::byte* checkpoints, std::uint64_t checkpoint_bytes);

  std::uint64_t inputs_done() const { return inputs_done_; }
  /// Inputs of the whole row that are done; see Row.
  std::uint64_t cycles() const { return cycles_; }
  bool ended() const { return ended_; }
  /// A stage has checkpointed state, so every input is committed by itself.
  bool has_checkpoints() const { return saved_.any(); }
  /// Gives the stages what the predecessor committed and resumes them. False if nothing was ever committed.
  [[nodiscard]] bool restore();

  /// Before an input, or between two: what the next commit says of the cursors.
  void keep_cursors() { cursors_.keep(); }
  /// The input `number`, which closed `closes` rows, is done. REQUIRES: LinkOutput::end_input().
  void finish_input(std::uint64_t number, std::uint8_t closes) {
    chain_.finish_item();
    inputs_done_ = number + 1;
    if (counts_each_ || closes > 0) {
      ++cycles_;
    }
  }
  /// `items` inputs are done that no row encloses, and `next` is the number behind the last one: on a link that deals
  /// there are others in between.
  void finish_inputs(std::uint64_t items, std::uint64_t next) {
    inputs_done_ = next;
    cycles_ += items;
  }
  /// The end of the input was read, as record `number`.
  void finish_end(std::uint64_t number) {
    end();
    inputs_done_ = number + 1;
  }
  /// Nothing comes any more: writes the end mark.
  void end();

  /// Commits what is done. REQUIRES: no input is in work; Meter::apply() or finish() follows.
  void commit();
  /// In the middle of an input: publishes its outputs so far, with the inputs before it. False if inputs before it
  /// stay uncommitted, and must not be released: without output the place in several links cannot be committed.
  bool commit_part(std::int64_t now);

 private:
  std::uint64_t committed() const { return ring_.journal().inputs_done.load(std::memory_order_relaxed); }
  shm::Done done(std::uint32_t parts_out) const;

  /// Something is done that the journal does not say yet.
  bool has_news() const { return inputs_done_ != committed() || inputs_.moved(); }
  bool needs_output() const;
  void flush_sink();
  void save_state();

  shm::RingWriter& ring_;
  const Inputs& inputs_;
  LinkOutput& output_;
  Chain& chain_;
  Meter& meter_;
  Monitor& monitor_;
  Cursors cursors_;
  SavedState saved_;
  bool counts_each_;  ///< each input is one of the row
  std::uint64_t inputs_done_;
  std::uint64_t cycles_;
  bool ended_;
};

}  // namespace pystream::worker
