#include "coord/audit.hpp"

namespace pystream::coord {
namespace {

/// The entry that counts: of a link the one that matches its write position, of a sink the newer one.
const shm::JournalEntry& journal_of(const shm::ProducerPage& page) {
  return page.journal[0].write_position == page.write_position.load(std::memory_order_acquire) ? page.journal[0]
                                                                                               : page.journal[1];
}

class Auditor {
 public:
  Auditor(const plan::Topology& topology, const worker::Layout& layout, const shm::SupervisorView& view)
      : topology_(topology), layout_(layout), view_(view) {}

  Audit run() {
    for (plan::WorkerId id = 0; id < topology_.workers.size(); ++id) {
      const plan::WorkerSpec& worker = topology_.workers[id];
      for (std::size_t i = 0; i < worker.segments.size() && !worker.external; ++i) {
        look_at(worker.segments[i], layout_.output_link[id][i]);
      }
      const auto failure = view_.workers[id].page->failure_kind.load(std::memory_order_acquire);
      audit_.refused += failure == static_cast<std::uint32_t>(shm::FailureKind::link) ? 1 : 0;
      for (const shm::HostedStats& stats : view_.workers[id].stats) {
        audit_.set_aside += stats.errors.load(std::memory_order_relaxed);
      }
    }
    return std::move(audit_);
  }

 private:
  void look_at(const plan::Segment& segment, std::uint32_t output) {
    const shm::JournalEntry& journal = journal_of(*view_.links[output].producer);
    const std::uint64_t done = journal.inputs_done.load(std::memory_order_acquire);
    if (!segment.input) {
      audit_.in += done;
    } else {
      compare(*segment.input, done);
    }
    if (!segment.output) {
      audit_.out += segment.input ? journal_of(*view_.links[*segment.input].producer).outputs : done;
    }
  }

  void compare(plan::LinkId link, std::uint64_t done) {
    const std::uint64_t written = journal_of(*view_.links[link].producer).next_number;
    const std::uint64_t overrun = view_.links[link].consumer->overrun.load(std::memory_order_relaxed);
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
  const worker::Layout& layout_;
  const shm::SupervisorView& view_;
  Audit audit_;
};

}  // namespace

Audit audit(const plan::Topology& topology, const worker::Layout& layout, const shm::SupervisorView& view) {
  return Auditor(topology, layout, view).run();
}

}  // namespace pystream::coord
