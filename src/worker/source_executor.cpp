#include "worker/source_executor.hpp"

#include <algorithm>
#include <limits>
#include <pystream/stage.hpp>
#include <vector>

namespace pystream::worker {
namespace {

/// An item that a source made, as if it had come in a link. `encoded`: room for its bytes, if it has none yet.
shm::Record record_of(const Item& made, const Flow& flow, std::vector<std::byte>& encoded) {
  if (made.unencoded() != nullptr) {
    encoded.resize(made.unencoded_type()->size(made.unencoded()));
    made.unencoded_type()->encode(made.unencoded(), encoded);
  }
  return {.kind = shm::RecordKind::item,
          .closes = 0,
          .number = flow.number(),
          .sequence = flow.tag.sequence,
          .part = flow.tag.part,
          .entered_ns = flow.tag.entered_ns,
          .payload = made.unencoded() != nullptr ? encoded : made.bytes()};
}

}  // namespace

SourceExecutor::SourceExecutor(SegmentWork& work)
    : work_(work), faults_(work.chain, work.faults, work.flow, work.monitor) {
  work_.chain.set_guard(*this);
}

std::uint64_t SourceExecutor::left() const {
  const std::uint64_t limit = work_.monitor.control().items_limit.load(std::memory_order_relaxed);
  if (limit == 0) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  const std::uint64_t done = work_.committer.inputs_done();
  return limit - std::min(limit, done);
}

bool SourceExecutor::is_over() const {
  return draining() || work_.monitor.command() != shm::Command::run;
}

bool SourceExecutor::take_next() {
  work_.monitor.check_stop();
  if (left() == 0 || is_done()) {
    work_.committer.end();
    return true;
  }
  const std::uint64_t first = work_.committer.inputs_done();
  work_.committer.keep_cursors();
  work_.meter.start_item(first);
  // Of a fast source all items of a batch enter at once.
  const StageClock& clock = work_.chain.clock();
  work_.flow.tag.entered_ns = clock.timing() ? clock.last() : work_.meter.began();
  work_.flow.tag.attempt = work_.faults.attempt_at(first);
  work_.flow.next_sequence = first;
  work_.flow.origin.reset();
  work_.monitor.begin_item(first, first);
  work_.output.begin_input();
  bool more = false;
  const auto fault = work_.faults.failure_of([&] { more = work_.chain.produce(); });
  return finish_call(fault, more);
}

bool SourceExecutor::finish_call(const std::optional<std::string>& fault, bool more, bool gave_before) {
  const std::uint64_t first = work_.committer.inputs_done();
  const std::uint64_t given = work_.flow.next_sequence - first;
  const bool gave = gave_before || given > 0;
  const bool fails = fault && !faults_.goes_on(gave);
  if (fault && !fails) {
    faults_.leave_out(*fault);
    more = true;
  }
  const bool any = work_.flow.next_sequence != first;
  if (any) {
    finish(given);
  }
  if (!fault && gave) {
    faults_.note_success();
  }
  if (fails) {
    throw StageFailed(work_.committer.inputs_done(), *fault);
  }
  if (!more) {
    work_.committer.end();
  }
  pauses_ = more && !any && !gave_before;
  return !pauses_;
}

/// `given`: items that the call emitted, without the one that takes the number of a fault.
void SourceExecutor::finish(std::uint64_t given) {
  const std::uint64_t first = work_.committer.inputs_done();
  work_.output.end_input(0);
  Item::Tag tag = work_.flow.tag;
  tag.sequence = first;
  work_.meter.stop_item(tag, first, given);
  work_.committer.finish_input(work_.flow.next_sequence - 1, 0);
  work_.chain.count_items(given);
}

void SourceExecutor::run_made(const Item& item) {
  const std::uint64_t number = work_.flow.number();
  work_.flow.tag.attempt = work_.faults.attempt_at(number);
  work_.monitor.begin_item(number, work_.flow.tag.sequence);
  work_.chain.begin_made();
  work_.output.begin_part();
  std::vector<std::byte> encoded;
  if (work_.faults.is_poison(number)) {
    work_.faults.give_up_poison(record_of(item, work_.flow, encoded));
    work_.chain.clock().enter(0);
    return;
  }
  const auto process = [&] { work_.chain.process_made(item); };
  if (const auto reason = work_.faults.failure_of(process)) {
    work_.faults.retry_or_give_up(record_of(item, work_.flow, encoded), *reason, process);
    work_.chain.clock().enter(0);
  }
}

}  // namespace pystream::worker
