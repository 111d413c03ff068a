#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/exception_text.hpp"
#include "plan/plan.hpp"
#include "profile/recorder.hpp"
#include "shm/link_corrupt.hpp"
#include "shm/ring_reader.hpp"
#include "worker/chain.hpp"
#include "worker/dead_letters.hpp"
#include "worker/limits.hpp"
#include "worker/link_output.hpp"
#include "worker/monitor.hpp"
#include "worker/past_death.hpp"
#include "worker/unwind.hpp"

namespace pystream::worker {

/// Decides by the stages' fault policies what becomes of an item that a stage threw on, or that has killed its worker
/// too often.
///
/// The policy is that of the stage in work, which the worker's page names.
class FaultHandler {
 public:
  struct Policies {
    std::vector<plan::FaultPolicy> of_stages;      ///< one for each stage of the segment
    const setup::ProcessLimits* limits = nullptr;  ///< nullptr: none
  };
  /// `death`: what the coordinator says of the worker's predecessors.
  FaultHandler(Policies policies, PastDeath death, Chain& chain, LinkOutput& output, Monitor& monitor,
               profile::Recorder& recorder, DeadLetters& letters);

  /// What the stages threw, as a text; nothing if they did not throw. What is not theirs passes through.
  template <class Stages>
  [[nodiscard]] std::optional<std::string> failure_of(const Stages& stages) const;

  /// A stage threw on the item of `record`: withdraws what it gave, and calls `again` as often as the policy allows.
  /// Throws StageFailed if the policy is to fail.
  void retry_or_give_up(const shm::Record& record, std::string reason, const std::function<void()>& again);
  /// As retry_or_give_up() after `attempts` attempts.
  void give_up(const shm::Record& record, const std::string& reason, std::uint32_t attempts);
  /// The item has killed its worker too often: the stage in which the worker died does not see it again.
  void give_up_poison(const shm::Record& record);
  /// A source threw and is called again: the number `sequence` is used up by what it could not read.
  void give_up_source(std::uint64_t sequence, const std::string& reason);

  bool is_poison(std::uint64_t number) const { return number == death_.number && death_.give_up; }
  /// See Item::attempt().
  std::uint32_t attempt_at(std::uint64_t number) const { return death_.attempt_at(number); }
  const PastDeath& death() const { return death_; }
  /// Of the stage in work; a segment without stages can fail too (an item too large for the next link).
  const plan::FaultPolicy& policy() const;
  /// Of the stage with this index in the segment.
  const plan::FaultPolicy& policy_of(std::size_t index) const;

 private:
  void check_memory_limit() const;
  void store(const DeadLetters::Letter& letter);

  Policies policies_;
  PastDeath death_;
  Chain& chain_;
  LinkOutput& output_;
  Monitor& monitor_;
  profile::Recorder& recorder_;
  DeadLetters& letters_;
};

template <class Stages>
std::optional<std::string> FaultHandler::failure_of(const Stages& stages) const {
  try {
    stages();
    return std::nullopt;
  } catch (const shm::LinkCorrupt&) {
    throw;
  } catch (const Stopped&) {
    throw;
  } catch (const StageFailed&) {
    throw;  // its policy has decided already
  } catch (const StageBroken&) {
    throw;
  } catch (...) {
    check_memory_limit();
    return base::exception_text();
  }
}

}  // namespace pystream::worker
