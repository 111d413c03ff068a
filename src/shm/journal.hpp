#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/kill_point.hpp"
#include "base/mutation.hpp"
#include "shm/written.hpp"

namespace pystream::shm {

/// What a commit says is done, beside the records it publishes.
struct Done {
  std::uint64_t inputs_done = 0;
  std::uint32_t parts_out = 0;  ///< outputs of input `inputs_done` among what is published so far
  std::uint32_t flags = 0;      ///< kJournal…
  std::uint64_t cycles = 0;
  std::span<const std::byte> cursor{};
  /// Of a segment that collects from several links: the number of the first record of each that is not done, and whose
  /// turn it is.
  std::span<const std::uint64_t> input_numbers{};
  std::uint32_t collect_turn = 0;
};

/// The commit word of a link and its two journal entries.
///
/// Invariants:
/// 1. At every instant exactly one entry matches write_position; it is the one that counts.
/// 2. Only publish() stores write_position, after the entry that matches the new value is complete.
class Journal {
 public:
  /// Takes over from a dead predecessor. Throws LinkCorrupt if no entry matches.
  Journal(ProducerPage& page, const ProducerCheck& check);

  /// As found at the start or as committed last.
  const JournalEntry& entry() const { return page_->journal[active_]; }
  Written written() const;
  std::uint64_t committed() const { return committed_; }

  /// ProducerPage::input_numbers of the entry that counts.
  std::span<const std::uint64_t> input_numbers() const { return page_->input_numbers[active_]; }

  void commit(const Written& written, const Done& done);
  /// A commit without output: one store into the entry that counts. REQUIRES: there are no input numbers.
  void commit_inputs_done(std::uint64_t inputs_done);

 private:
  void fill(std::size_t index, const Written& written, const Done& done);
  void publish(std::size_t index, const Written& written);

  ProducerPage* page_;
  std::uint64_t committed_;  ///< write_position
  std::size_t active_;       ///< index of the entry that counts
};

inline void Journal::fill(std::size_t index, const Written& written, const Done& done) {
  JournalEntry& entry = page_->journal[index];
  entry.next_number = written.number;
  entry.large_position = written.large_position;
  entry.large_ordinal = written.large_ordinal;
  entry.inputs_done.store(done.inputs_done, std::memory_order_relaxed);
  entry.parts_of = done.inputs_done;
  entry.parts_out = done.parts_out;
  entry.flags = done.flags | written.deal_turn << kJournalDealShift | done.collect_turn << kJournalCollectShift;
  entry.outputs = written.outputs;
  entry.cycles = done.cycles;
  if (!done.cursor.empty()) {
    std::memcpy(entry.cursor, done.cursor.data(), done.cursor.size());
  }
  if (!done.input_numbers.empty()) {
    std::memcpy(page_->input_numbers[index], done.input_numbers.data(), done.input_numbers.size_bytes());
  }
}

inline void Journal::publish(std::size_t index, const Written& written) {
  page_->journal[index].write_position = written.position;
  page_->written_number.store(written.number, std::memory_order_relaxed);
  page_->large_written.store(written.large_ordinal, std::memory_order_relaxed);
  // COMMIT: the entry and the records are complete; from this instant on they count.
  page_->write_position.store(written.position, std::memory_order_release);
  // The next commit fills the other entry, which must not happen before this store in the eyes of a successor.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  active_ = index;
  committed_ = written.position;
}

inline void Journal::commit(const Written& written, const Done& done) {
  const std::size_t next = base::mutated(base::Mutation::journal_entry_in_place) ? active_ : 1 - active_;
  if (base::mutated(base::Mutation::position_before_journal)) {
    page_->write_position.store(written.position);
  }
  fill(next, written, done);
  base::kill_point(base::KillPoint::before_commit);
  publish(next, written);
}

inline void Journal::commit_inputs_done(std::uint64_t inputs_done) {
  base::kill_point(base::KillPoint::before_commit);
  page_->journal[active_].inputs_done.store(inputs_done, std::memory_order_release);
}

}  // namespace pystream::shm
