#include "coord/audit.hpp"

#include <algorithm>

namespace pystream::coord {
namespace {

/// Index of the entry that counts: of a link the one that matches its write position, of a sink the newer one.
std::size_t valid_entry(const shm::ProducerPage& page) {
  return page.journal[0].write_position == page.write_position.load(std::memory_order_acquire) ? 0 : 1;
}
const shm::JournalEntry& journal_of(const shm::ProducerPage& page) {
  return page.journal[valid_entry(page)];
}

class Auditor {
 public:
  Auditor(const plan::Topology& topology, const shm::SupervisorView& view) : topology_(topology), view_(view) {}

  Audit run() {
    for (plan::WorkerId id = 0; id < topology_.workers.size(); ++id) {
      const plan::WorkerSpec& worker = topology_.workers[id];
      for (std::size_t i = 0; i < worker.segments.size() && !worker.external; ++i) {
        look_at({.worker = id, .index = static_cast<std::uint32_t>(i)});
      }
      const auto failure = view_.workers[id].page->failure_kind.load(std::memory_order_acquire);
      audit_.refused += failure == static_cast<std::uint32_t>(shm::FailureKind::link) ? 1 : 0;
      for (const shm::StageStats& stats : view_.workers[id].stats) {
        audit_.given_up += get(stats.errors);
        audit_.letters += get(stats.letters);
      }
      audit_.losses += get(view_.workers[id].page->losses);
    }
    return std::move(audit_);
  }

 private:
  static std::uint64_t get(const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  }

  const shm::StageStats& stats_of(plan::StageId id) const {
    const plan::PlacedStage& placed = topology_.stages[id];
    return view_.workers[placed.worker].stats[placed.index];
  }

  void look_at(plan::SegmentRef here) {
    const plan::Segment& segment = topology_.segment(here);
    const plan::LinkId output = segment.outputs.front();
    const shm::ProducerPage& page = *view_.links[output].producer;
    const std::uint64_t done = journal_of(page).inputs_done.load(std::memory_order_acquire);
    const bool collects = segment.inputs.size() > 1;
    if (segment.inputs.empty()) {
      audit_.in += done;
    }
    for (std::size_t i = 0; i < segment.inputs.size(); ++i) {
      const plan::LinkId input = segment.inputs[i];
      const std::uint64_t of_link = collects ? collected(input, page.input_numbers[valid_entry(page)][i]) : done;
      const std::uint32_t consumer = topology_.consumer_index(input, here);
      if (consumer == 0) {
        count_dropped(input);
      }
      if (topology_.links[input].follower) {
        continue;  // who follows the dealing tells what became of it
      }
      compare(input, of_link, consumer, !segment.followed);
      if (segment.followed) {
        continue;  // what is left here was dealt, and is left there
      }
      if (const std::uint64_t items = left_items(input, of_link, consumer); items > 0) {
        audit_.left.push_back({.stage = name_of(segment, input), .items = items});
      }
    }
    if (segment.followed) {
      look_at_followed(*segment.followed, page.input_numbers[valid_entry(page)][segment.inputs.size()]);
    }
    if (topology_.links[output].is_terminal() && !segment.stages.empty() && !segment.aside) {
      const shm::StageStats& last = stats_of(segment.stages.back());
      // What a stage in front of the sink drops, skips or adds is not among the inputs of the segment.
      const bool sink_alone = segment.inputs.size() == 1 && segment.stages.size() == 1;
      const std::uint64_t came = sink_alone ? done_items(segment.inputs.front(), done) : get(last.items);
      audit_.out += came - std::min(came, get(last.errors));
    }
  }

  /// All records of a link that was followed, until number `collected_to`, were dealt, answered and collected.
  void look_at_followed(plan::LinkId link, std::uint64_t collected_to) {
    const std::uint64_t done = collected(link, collected_to);
    compare(link, done, 0, true);
    if (const std::uint64_t items = left_items(link, done); items > 0) {
      const plan::SegmentRef first = topology_.links[link].consumers.front();
      audit_.left.push_back({.stage = name_of(topology_.segment(first), link), .items = items});
    }
  }

  std::string name_of(const plan::Segment& segment, plan::LinkId input) const {
    return segment.stages.empty() ? topology_.workers[topology_.links[input].consumers.front().worker].name
                                  : topology_.stages[segment.stages.front()].key;
  }

  /// Of the records that are not done, those that are items for the consumer.
  std::uint64_t left_items(plan::LinkId link, std::uint64_t done, std::uint32_t consumer = 0) const {
    const std::uint64_t written = journal_of(*view_.links[link].producer).next_number;
    const std::uint64_t left = records_left(link, done, written, consumer);
    return left > 0 && !deals_in_turn(link) ? left - end_marks(link) : left;
  }

  /// Of the records done, those that were items.
  std::uint64_t done_items(plan::LinkId link, std::uint64_t done) const {
    const shm::JournalEntry& journal = journal_of(*view_.links[link].producer);
    const std::uint64_t missed = left_items(link, done) + view_.links[link].overrun();
    return journal.outputs - std::min(journal.outputs, missed);
  }

  void count_dropped(plan::LinkId link) {
    audit_.dropped += view_.links[link].overrun() + get(view_.links[link].producer->dropped);
  }

  std::uint64_t end_marks(plan::LinkId link) const {
    return (journal_of(*view_.links[link].producer).flags & shm::kJournalEnded) != 0 ? 1 : 0;
  }

  /// A segment that collects ends with the first end mark that it reads, and leaves those of the other links.
  std::uint64_t collected(plan::LinkId link, std::uint64_t done) const {
    const std::uint64_t written = journal_of(*view_.links[link].producer).next_number;
    return done + end_marks(link) == written ? written : done;
  }

  /// Of the records from `done` on, those that are for the consumer; of a link that deals without the end, and as if
  /// there were no runs.
  std::uint64_t records_left(plan::LinkId link, std::uint64_t done, std::uint64_t written,
                             std::uint32_t consumer) const {
    if (!deals_in_turn(link)) {
      return written - std::min(done, written);
    }
    const std::uint64_t dealt = written - end_marks(link);
    const std::uint64_t consumers = topology_.links[link].consumers.size();
    const auto before = [&](std::uint64_t number) { return (number + consumers - 1 - consumer) / consumers; };
    return before(std::max(dealt, done)) - before(done);
  }

  bool deals_in_turn(plan::LinkId link) const { return topology_.links[link].sharing == Sharing::turn; }

  void compare(plan::LinkId link, std::uint64_t done, std::uint32_t consumer, bool must_be_done) {
    const std::uint64_t written = journal_of(*view_.links[link].producer).next_number;
    const std::uint64_t lost = must_be_done ? records_left(link, done, written, consumer) : 0;
    audit_.lost += lost;
    if (done > written) {
      audit_.doubled += done - written;
    }
    if (lost != 0 || done > written) {
      audit_.faults.push_back("link " + topology_.links[link].name + ": " + std::to_string(written) +
                              " records written, " + std::to_string(done) + " done");
    }
  }

  const plan::Topology& topology_;
  const shm::SupervisorView& view_;
  Audit audit_;
};

}  // namespace

Audit audit(const plan::Topology& topology, const shm::SupervisorView& view) {
  return Auditor(topology, view).run();
}

}  // namespace pystream::coord
