#include "worker/committer.hpp"

#include <algorithm>

#include "base/kill_point.hpp"
#include "base/mutation.hpp"

namespace pystream::worker {

Committer::Committer(shm::RingWriter& ring, const Inputs& inputs, LinkOutput& output, Chain& chain, Meter& meter,
                     Monitor& monitor, RowPlace place, std::byte* checkpoints, std::uint64_t checkpoint_bytes)
    : ring_(ring),
      inputs_(inputs),
      output_(output),
      chain_(chain),
      meter_(meter),
      monitor_(monitor),
      cursors_(chain.stages()),
      saved_(checkpoints, checkpoint_bytes, chain.stages()),
      counts_each_(place.first),
      inputs_done_(committed()),
      cycles_(ring.journal().cycles),
      ended_((ring.journal().flags & shm::kJournalEnded) != 0) {
  const shm::JournalEntry& journal = ring_.journal();
  if (journal.parts_of == inputs_done_ && !base::mutated(base::Mutation::forget_published_outputs)) {
    output_.resume_at(journal.parts_out);
  }
}

bool Committer::restore() {
  base::kill_point(base::KillPoint::attaching);
  if (ring_.journal().write_position == 0 && inputs_done_ == 0 && !ended_) {
    return false;
  }
  cursors_.restore(ring_.journal().cursor);
  if (saved_.any() && inputs_done_ > 0) {
    saved_.restore(inputs_done_);
  }
  for (const auto& stage : chain_.stages()) {
    stage->resume();
  }
  return true;
}

void Committer::end() {
  if (!output_.terminal()) {
    // Should the mark have to wait for room, then what is done so far is committed: whole inputs, and not yet the end.
    cursors_.keep();
    output_.begin_between_inputs();
    output_.mark(shm::RecordKind::end, 0);
  }
  ended_ = true;
}

shm::Done Committer::done(std::uint32_t parts_out) const {
  return {.inputs_done = inputs_done_,
          .parts_out = parts_out,
          .flags = ended_ ? shm::kJournalEnded : 0,
          .cycles = cycles_,
          .cursor = cursors_.kept(),
          .input_numbers = inputs_.numbers().first(base::mutated(base::Mutation::one_input_number)
                                                       ? std::min<std::size_t>(inputs_.numbers().size(), 1)
                                                       : inputs_.numbers().size()),
          .collect_turn = base::mutated(base::Mutation::forget_collect_turn) ? 0 : inputs_.turn()};
}

/// A cursor, or the place in several links, is committed with output only.
bool Committer::needs_output() const {
  return cursors_.any() || (inputs_.several() && !base::mutated(base::Mutation::collect_without_output));
}

/// REQUIRES: no input is in work, or the inputs before it are committed.
void Committer::save_state() {
  if (saved_.any() && inputs_done_ != committed()) {
    saved_.save(inputs_done_, committed());
  }
}

void Committer::flush_sink() {
  SinkAdapter& sink = *chain_.stages().back()->sink();
  if (inputs_done_ > 0) {
    sink.passed(output_.sequence());
  }
  const std::int64_t began = monitor_.now();
  sink.flush();
  meter_.note_flush(monitor_.now() - began);
}

void Committer::commit() {
  const std::uint64_t before = committed();
  if (output_.terminal()) {
    flush_sink();
  }
  save_state();
  if (!output_.terminal() && needs_output() && has_news() && !ring_.has_uncommitted()) {
    output_.mark(shm::RecordKind::tombstone, 0);  // readers step over it, and it is output enough
  }
  cursors_.keep();
  meter_.prepare(inputs_done_);
  if (output_.terminal()) {
    ring_.commit_terminal(done(0));
  } else if (ring_.has_uncommitted()) {
    ring_.commit(done(0));
  } else if (inputs_done_ != before) {
    ring_.commit_inputs_done(inputs_done_);
  }
  output_.note_commit();
  monitor_.count_commit();
}

bool Committer::commit_part(std::int64_t now) {
  const bool has_output = ring_.has_uncommitted();
  if (!has_output && (chain_.source() != nullptr || !has_news())) {
    return true;  // a source's cursor is committed with output only
  }
  if (!has_output && inputs_.several()) {
    return false;
  }
  save_state();  // of the inputs before: the end mark of a source waits for room behind its last ones
  meter_.prepare(inputs_done_);
  if (has_output) {
    ring_.commit(done(output_.emitted()));
    output_.note_commit();
  } else {
    // Inputs without output: what is not committed must not be released.
    ring_.commit_inputs_done(inputs_done_);
  }
  meter_.apply(now);
  monitor_.count_commit();
  return true;
}

}  // namespace pystream::worker
