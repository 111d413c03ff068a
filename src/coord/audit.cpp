#include "coord/audit.hpp"

#include <algorithm>

namespace pystream::coord {
namespace {

/// The entry that counts: of a link the one that matches its write position, of a sink the newer one.
const shm::JournalEntry& journal_of(const shm::ProducerPage& page) {
  return page.journal[0].write_position == page.write_position.load(std::memory_order_acquire) ? page.journal[0]
                                                                                               : page.journal[1];
}

class Auditor {
 public:
  Auditor(const plan::Topology& topology, const shm::SupervisorView& view) : topology_(topology), view_(view) {}

  Audit run() {
    for (plan::WorkerId id = 0; id < topology_.workers.size(); ++id) {
      const plan::WorkerSpec& worker = topology_.workers[id];
      for (std::size_t i = 0; i < worker.segments.size() && !worker.external; ++i) {
        look_at(worker.segments[i]);
      }
      const auto failure = view_.workers[id].page->failure_kind.load(std::memory_order_acquire);
      audit_.refused += failure == static_cast<std::uint32_t>(shm::FailureKind::link) ? 1 : 0;
      for (const shm::HostedStats& stats : view_.workers[id].stats) {
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

  const shm::HostedStats& stats_of(plan::HostedId id) const {
    const plan::HostedSpec& hosted = topology_.hosted[id];
    return view_.workers[hosted.worker].stats[hosted.index];
  }

  void look_at(const plan::Segment& segment) {
    const plan::LinkId output = segment.outputs.front();
    const std::uint64_t done = journal_of(*view_.links[output].producer).inputs_done.load(std::memory_order_acquire);
    if (segment.inputs.empty()) {
      audit_.in += done;
    }
    for (const plan::LinkId input : segment.inputs) {
      compare(input, done);
      if (const std::uint64_t items = left_items(input, done); items > 0) {
        audit_.left.push_back({.stage = name_of(segment, input), .items = items});
      }
    }
    if (topology_.links[output].is_terminal() && !segment.hosted.empty()) {
      const shm::HostedStats& last = stats_of(segment.hosted.back());
      // What a stage in front of the sink drops, skips or adds is not among the inputs of the segment.
      const bool sink_alone = !segment.inputs.empty() && segment.hosted.size() == 1;
      const std::uint64_t came = sink_alone ? done_items(segment.inputs.front(), done) : get(last.items);
      audit_.out += came - std::min(came, get(last.errors));
    }
  }

  std::string name_of(const plan::Segment& segment, plan::LinkId input) const {
    return segment.hosted.empty() ? topology_.workers[topology_.links[input].consumers.front().worker].name
                                  : topology_.hosted[segment.hosted.front()].key;
  }

  /// Of the records that are not done, those that are items.
  std::uint64_t left_items(plan::LinkId link, std::uint64_t done) const {
    const shm::JournalEntry& journal = journal_of(*view_.links[link].producer);
    const std::uint64_t left = journal.next_number - std::min(done, journal.next_number);
    const std::uint64_t end_marks = left > 0 && (journal.flags & shm::kJournalEnded) != 0 ? 1 : 0;
    return left - end_marks;
  }

  /// Of the records done, those that were items.
  std::uint64_t done_items(plan::LinkId link, std::uint64_t done) const {
    const shm::JournalEntry& journal = journal_of(*view_.links[link].producer);
    const std::uint64_t missed = left_items(link, done) + view_.links[link].overrun();
    return journal.outputs - std::min(journal.outputs, missed);
  }

  void compare(plan::LinkId link, std::uint64_t done) {
    const std::uint64_t written = journal_of(*view_.links[link].producer).next_number;
    const std::uint64_t overrun = view_.links[link].overrun();
    audit_.dropped += overrun + view_.links[link].producer->dropped.load(std::memory_order_relaxed);
    if (done < written) {
      audit_.lost += written - done;
    } else {
      audit_.doubled += done - written;
    }
    if (done != written) {
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
