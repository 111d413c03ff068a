#include <algorithm>
#include <cstdio>
#include <new>
#include <utility>

#include "worker/segment_runner.hpp"

/// What becomes of an item that a stage threw on, or that has killed its worker too often.
namespace pystream::worker {
/// What the exception being handled says.
std::string SegmentRunner::thrown_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// Of the stage in work; a segment without stages can fail too (an item too large for the next link).
const plan::FaultPolicy& SegmentRunner::policy_in_work() const {
  static const plan::FaultPolicy kDefault;
  const std::uint32_t index = monitor_.hosted() - parts_.first_hosted;
  return index < parts_.faults.size() ? parts_.faults[index] : kDefault;
}

void SegmentRunner::give_up(const shm::Record& record, const std::string& reason, std::uint32_t attempts) {
  const std::uint32_t hosted = monitor_.hosted();
  const plan::FaultPolicy& policy = policy_in_work();
  if (policy.on_error == plan::OnError::fail) {
    throw StageFailed(record.sequence, reason);
  }
  if (policy.on_error != plan::OnError::skip) {
    dead_letters_.store({.hosted = hosted,
                         .number = record.number,
                         .sequence = record.sequence,
                         .part = record.part,
                         .attempts = attempts,
                         .reason = reason,
                         .bytes = record.payload});
    recorder_.add_letter(hosted);
  }
  recorder_.add_error(hosted);
  monitor_.note_given_up(hosted, record.sequence, attempts, reason);
}

/// Whether to call a source again after an exception. A source whose cursor has moved beyond the fault makes progress;
/// one that only throws would never end.
bool SegmentRunner::goes_on_behind_fault(bool gave_items) {
  const std::span<const std::byte> cursor = chain_.hosted().front()->cursor();
  const bool moved =
      !std::equal(cursor.begin(), cursor.end(), source_faults_.cursor.begin(), source_faults_.cursor.end());
  const bool first = source_faults_.in_a_row == 0 || gave_items || moved;
  source_faults_.in_a_row = first ? 1 : source_faults_.in_a_row + 1;
  source_faults_.cursor.assign(cursor.begin(), cursor.end());
  monitor_.set_hosted(parts_.first_hosted);
  const plan::FaultPolicy& policy = policy_in_work();
  const bool leaves_out = policy.on_error == plan::OnError::skip || policy.on_error == plan::OnError::dead_letter;
  return leaves_out && source_faults_.in_a_row <= policy.max_attempts;
}

/// What the source could not use takes the place of an item that nothing came of. REQUIRES: goes_on_behind_fault().
void SegmentRunner::leave_out(const std::string& reason) {
  constexpr std::uint32_t kMostTold = 20;
  if (++source_faults_.told <= kMostTold) {
    std::fprintf(stderr, "item %llu is left out: %s%s\n", static_cast<unsigned long long>(flow_.next_sequence),
                 reason.c_str(), source_faults_.told == kMostTold ? " (further ones are only counted)" : "");
  }
  flow_.number_item();
  if (policy_in_work().on_error == plan::OnError::dead_letter) {
    dead_letters_.store({.hosted = parts_.first_hosted,
                         .number = flow_.tag.sequence,
                         .sequence = flow_.tag.sequence,
                         .attempts = 1,
                         .reason = reason});
    recorder_.add_letter(parts_.first_hosted);
  }
  recorder_.add_error(parts_.first_hosted);
}

/// What was done of the batch before a stage failed for good. The failure is what will be told.
void SegmentRunner::commit_before_failure() {
  try {
    if (!timed_batch_) {
      share_time(monitor_.now());
    }
    commit();
    recorder_.apply(monitor_.now());
  } catch (...) {
  }
}

/// The item has killed its worker too often: the stage it died in does not see it again.
void SegmentRunner::set_aside(const shm::Record& record) {
  monitor_.set_hosted(death_.hosted);
  if (policy_in_work().on_crash != plan::OnCrash::skip) {
    dead_letters_.store({.hosted = death_.hosted,
                         .number = record.number,
                         .sequence = record.sequence,
                         .part = record.part,
                         .attempts = death_.deaths,
                         .reason = death_.reason,
                         .bytes = record.payload,
                         .signal = death_.signal,
                         .stack = death_.stack});
    recorder_.add_letter(death_.hosted);
  }
  recorder_.add_error(death_.hosted);
  monitor_.note_given_up(death_.hosted, record.sequence, death_.deaths, death_.reason);
}

/// Runs the stages on one item. REQUIRES: tag_item().
void SegmentRunner::process(const shm::Record& record) {
  chain_.process(Item(flow_.tag, record.payload));
}

void SegmentRunner::run_guarded(const shm::Record& record) {
  output_.begin_input(already_out_);
  const auto stages = [&] { process(record); };
  if (const auto reason = failure_of(stages)) {
    retry_or_give_up(record, *reason, stages);
  }
}

/// An item that was made here, as if it had come in a link. `encoded`: room for its bytes, if it has none yet.
shm::Record SegmentRunner::record_of(const Item& made, std::vector<std::byte>& encoded) const {
  if (made.unencoded() != nullptr) {
    encoded.resize(made.unencoded_type()->size(made.unencoded()));
    made.unencoded_type()->encode(made.unencoded(), encoded);
  }
  return {.kind = shm::RecordKind::item,
          .closes = 0,
          .number = flow_.tag.sequence,
          .sequence = flow_.tag.sequence,
          .part = 0,
          .entered_ns = flow_.tag.entered_ns,
          .payload = made.unencoded() != nullptr ? encoded : made.bytes()};
}

/// Runs the stages behind a source on an item that it has just made. What they do to it is no matter of the source: it
/// goes on with its next item.
void SegmentRunner::run_made(const Item& item) {
  const std::uint64_t number = flow_.tag.sequence;
  flow_.tag.attempt = attempt_at(number);
  monitor_.begin_item(number, number);
  chain_.begin_made();
  output_.begin_part();
  std::vector<std::byte> encoded;
  if (is_poison(number)) {
    set_aside(record_of(item, encoded));
    chain_.clock().enter(0);
    return;
  }
  const auto process = [&] { chain_.process_made(item); };
  if (const auto reason = failure_of(process)) {
    retry_or_give_up(record_of(item, encoded), *reason, process);
    chain_.clock().enter(0);
  }
}

/// REQUIRES: called from a handler. A stage that got no memory under a limit of its own does not go on.
void SegmentRunner::check_memory_limit() const {
  if (parts_.limits == nullptr || !parts_.limits->memory()) {
    return;
  }
  try {
    throw;
  } catch (const std::bad_alloc&) {
    crash_out_of_memory(*parts_.limits, monitor_);
  } catch (...) {
  }
}

/// What a stage threw is dealt with by the policy of the stage that threw.
void SegmentRunner::retry_or_give_up(const shm::Record& record, std::string reason,
                                     const std::function<void()>& again) {
  for (std::uint32_t tries = 1;; ++tries) {
    output_.withdraw();
    const plan::FaultPolicy& policy = policy_in_work();
    if (policy.on_error != plan::OnError::retry || tries >= policy.max_attempts) {
      give_up(record, reason, tries);
      return;
    }
    chain_.discard_item();
    std::optional<std::string> failure = failure_of(again);
    if (!failure) {
      return;
    }
    reason = std::move(*failure);
  }
}

}  // namespace pystream::worker
