#include "worker/fault_handler.hpp"

#include <new>
#include <utility>

namespace pystream::worker {

FaultHandler::FaultHandler(Policies policies, PastDeath death, Chain& chain, LinkOutput& output, Monitor& monitor,
                           profile::Recorder& recorder, DeadLetters& letters)
    : policies_(std::move(policies)),
      death_(std::move(death)),
      chain_(chain),
      output_(output),
      monitor_(monitor),
      recorder_(recorder),
      letters_(letters) {
  death_.give_up = death_.give_up && death_.stage - chain_.first() < chain_.stages().size();
}

/// REQUIRES: called from a handler. A stage that got no memory under a limit of its own does not go on.
void FaultHandler::check_memory_limit() const {
  if (policies_.limits == nullptr || !policies_.limits->memory()) {
    return;
  }
  try {
    throw;
  } catch (const std::bad_alloc&) {
    crash_out_of_memory(*policies_.limits, monitor_);
  } catch (...) {
  }
}

const plan::FaultPolicy& FaultHandler::policy() const {
  return policy_of(monitor_.stage() - chain_.first());
}

const plan::FaultPolicy& FaultHandler::policy_of(std::size_t index) const {
  static const plan::FaultPolicy kDefault;
  return index < policies_.of_stages.size() ? policies_.of_stages[index] : kDefault;
}

void FaultHandler::retry_or_give_up(const shm::Record& record, std::string reason, const std::function<void()>& again) {
  for (std::uint32_t tries = 1;; ++tries) {
    output_.withdraw();
    if (policy().on_error != plan::OnError::retry || tries >= policy().max_attempts) {
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

void FaultHandler::store(const DeadLetters::Letter& letter) {
  letters_.store(letter);
  recorder_.add_letter(letter.stage);
}

void FaultHandler::give_up(const shm::Record& record, const std::string& reason, std::uint32_t attempts) {
  const std::uint32_t stage = monitor_.stage();
  if (policy().on_error == plan::OnError::fail) {
    throw StageFailed(record.sequence, reason);
  }
  if (policy().on_error != plan::OnError::skip) {
    store({.stage = stage,
           .number = record.number,
           .sequence = record.sequence,
           .part = record.part,
           .attempts = attempts,
           .reason = reason,
           .bytes = record.payload});
  }
  recorder_.add_error(stage);
  monitor_.note_given_up(stage, record.sequence, attempts, reason);
}

void FaultHandler::give_up_poison(const shm::Record& record) {
  monitor_.set_stage(death_.stage);
  if (policy().on_crash != plan::OnCrash::skip) {
    store({.stage = death_.stage,
           .number = record.number,
           .sequence = record.sequence,
           .part = record.part,
           .attempts = death_.deaths,
           .reason = death_.reason,
           .bytes = record.payload,
           .signal = death_.signal,
           .stack = death_.stack});
  }
  recorder_.add_error(death_.stage);
  monitor_.note_given_up(death_.stage, record.sequence, death_.deaths, death_.reason);
}

void FaultHandler::give_up_source(std::uint64_t sequence, const std::string& reason) {
  const std::uint32_t source = chain_.first();
  if (policy_of(0).on_error == plan::OnError::dead_letter) {
    store({.stage = source, .number = sequence, .sequence = sequence, .attempts = 1, .reason = reason});
  }
  recorder_.add_error(source);
}

}  // namespace pystream::worker
