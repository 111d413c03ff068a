#include <new>

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
  recorder_.add_error(hosted);
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
  }
}

/// The item has killed its worker too often: the stage it died in does not see it again.
void SegmentRunner::set_aside(const shm::Record& record) {
  monitor_.set_hosted(death_.hosted);
  recorder_.add_error(death_.hosted);
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
  }
}

/// Runs the stages on one item.
void SegmentRunner::run_guarded(const shm::Record& record) {
  output_.begin_input(already_out_);
  try {
    chain_.process(Item(flow_.tag, record.payload));
  } catch (const shm::LinkCorrupt&) {
    throw;
  } catch (const Stopped&) {
    throw;
  } catch (...) {
    retry_or_give_up(record);
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
    crash_out_of_memory(*parts_.limits);
  } catch (...) {
  }
}

/// REQUIRES: called from a handler. What a stage threw is dealt with by the policy of the stage that threw.
void SegmentRunner::retry_or_give_up(const shm::Record& record) {
  check_memory_limit();
  std::string reason = thrown_text();
  for (std::uint32_t tries = 1;; ++tries) {
    already_out_ = output_.withdraw_input();
    const plan::FaultPolicy& policy = policy_in_work();
    if (policy.on_error != plan::OnError::retry || tries >= policy.max_attempts) {
      give_up(record, reason, tries);
      return;
    }
    chain_.discard_item();
    output_.begin_input(already_out_);
    try {
      chain_.process(Item(flow_.tag, record.payload));
      return;
    } catch (const shm::LinkCorrupt&) {
      throw;
    } catch (const Stopped&) {
      throw;
    } catch (...) {
      check_memory_limit();
      reason = thrown_text();
    }
  }
}

}  // namespace pystream::worker
