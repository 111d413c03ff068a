#pragma once

#include <cstdint>
#include <utility>

#include "profile/recorder.hpp"
#include "worker/chain.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// How long items have been in the pipeline, together: one addition for each and one look at the clock for all.
struct Ages {
  std::uint64_t items = 0;
  std::uint64_t entered_ns = 0;  ///< sum, modulo 2^64

  void add(std::uint64_t count, std::int64_t entered) {
    items += count;
    entered_ns += count * static_cast<std::uint64_t>(entered);
  }
  std::int64_t at(std::int64_t now) const {
    return static_cast<std::int64_t>(items * static_cast<std::uint64_t>(now) - entered_ns);
  }
};

/// Counts and times what a segment does, for the profile and for the worker's page.
///
/// A batch is what shares a commit. Of slow stages every item is timed. Of fast ones only those are that the recorder
/// samples; the time of the batch is divided among the stages by share().
///
/// For each batch: begin(); start_item() and stop_item() for each item, or count_batch() for many; close(); the commit,
/// which calls prepare(); finish().
class Meter {
 public:
  /// `exits`: what comes out of this segment leaves the main pipeline.
  Meter(profile::Recorder& recorder, Chain& chain, Monitor& monitor, bool exits)
      : recorder_(recorder), chain_(chain), monitor_(monitor), exits_(exits) {}

  /// `every`: every item of the batch is timed. A batch that follows another begins when that one ended.
  void begin(bool every) {
    began_ = began_ != 0 ? began_ : monitor_.now();
    every_ = every;
    set_clock();
  }
  /// As begin(true), and the batch begins now.
  void begin_now() {
    began_ = 0;
    begin(true);
  }
  std::int64_t began() const { return began_; }
  /// Nothing was done since begin().
  void cancel() { began_ = 0; }
  /// The samples of one more item fit into the batch.
  bool has_room() const { return recorder_.has_room(); }

  void start_item(std::uint64_t sequence) { chain_.clock().start(every_ || recorder_.wants(sequence)); }
  /// The item `input`, which start_item() began, has let out `came_out` items.
  void stop_item(const Item::Tag& tag, std::uint64_t input, std::uint64_t came_out) {
    count_exits(came_out);
    if (!every_) {
      ages_.add(chain_.source() != nullptr ? came_out : 1, tag.entered_ns);
      exit_ages_.add(exits_ ? came_out : 0, tag.entered_ns);
    }
    if (chain_.clock().timing()) {
      record_item(tag, input, came_out);
    }
  }
  /// `items` went through in one call, and let out `came_out`; all entered at once.
  void count_batch(std::uint32_t items, std::uint64_t came_out, std::int64_t entered_ns) {
    chain_.count_items(items);
    count_exits(came_out);
    ages_.add(items, entered_ns);
    exit_ages_.add(exits_ ? came_out : 0, entered_ns);
  }
  /// Items left the segment that stop_item() and count_batch() do not hear of.
  void count_exits(std::uint64_t came_out) { came_out_ += exits_ ? came_out : 0; }
  /// An asynchronous stage answered: answers overlap, so each is timed from its question on.
  void count_answer(const Item::Tag& tag, std::uint64_t input, std::int64_t asked_ns, std::uint64_t came_out);

  /// Time, in nanoseconds, that the segment did not spend on its stages.
  void exclude(std::int64_t ns) { chain_.clock().exclude(ns); }
  /// The worker waited for room in its output link. Until the consumer is done with its first item, the time counts as
  /// neither blocked nor working: the consumer starts.
  void note_blocked(std::int64_t ns, bool consumer_has_begun);
  /// The sink took `ns` nanoseconds to hand over what it had taken: more items together would not have taken longer.
  void note_flush(std::int64_t ns) {
    flush_ += ns;
    blocked_ += ns;
  }
  /// Of the last batch, as note_flush() heard.
  std::int64_t take_flush() { return std::exchange(flush_, 0); }
  /// The worker slept for input until `now`; `counts`: it was waiting, not starting.
  void note_waited(std::int64_t since, std::int64_t now, bool counts) {
    began_ = now;
    if (counts) {
      monitor_.add_waiting(now - since);
    }
  }

  /// Divides the time that passed since the last share() among the stages, if not every item of the batch is timed.
  void share(std::int64_t now);
  /// REQUIRES: the commit follows, and then apply() or finish().
  void prepare(std::uint64_t inputs_done);
  void apply(std::int64_t now) { recorder_.apply(now); }
  /// All items of the batch are done; its commit follows.
  void close();
  /// The batch is committed. How long the stages worked on it, in nanoseconds.
  std::int64_t finish();

 private:
  void record_item(const Item::Tag& tag, std::uint64_t input, std::uint64_t came_out);
  void set_clock();
  std::uint32_t exit_index() const { return monitor_.end().entry.stages; }

  profile::Recorder& recorder_;
  Chain& chain_;
  Monitor& monitor_;
  bool exits_;
  bool every_ = true;
  std::int64_t began_ = 0;    ///< when the batch in work began; 0: look at the clock
  std::int64_t blocked_ = 0;  ///< since then, in nanoseconds
  std::int64_t flush_ = 0;    ///< of it in the sink's flush()
  std::int64_t start_up_ = 0;
  std::int64_t shared_ = 0;     ///< nanoseconds of this batch that the stages have already
  std::uint64_t came_out_ = 0;  ///< items that left the main pipeline and are not counted yet
  Ages ages_;                   ///< of the items of a batch of which not every item is timed
  Ages exit_ages_;              ///< of those that left the main pipeline
};

}  // namespace pystream::worker
