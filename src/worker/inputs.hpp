#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/mutation.hpp"
#include "plan/topology.hpp"
#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"
#include "worker/collector.hpp"
#include "worker/first_answer.hpp"
#include "worker/zip.hpp"

namespace pystream::worker {

/// The links that a segment reads; none: a source stands in front. Takes from them, as `collect` says if they are
/// several, releases what was read, and sleeps until there is more.
///
/// An input that a record of the output refers to is not released before that record is. So the sleep of a segment that
/// forwards is a sleep for two things; see wait().
class Inputs {
  // First, as functions below take its result.
  template <class Call>
  auto of_several(const Call& call) {
    if (auto* const collector = std::get_if<Collector>(&collect_)) {
      return call(*collector);
    }
    if (auto* const zip = std::get_if<Zip>(&collect_)) {
      return call(*zip);
    }
    return call(std::get<FirstAnswer>(collect_));
  }
  template <class Call>
  auto of_several(const Call& call) const {
    if (const auto* const collector = std::get_if<Collector>(&collect_)) {
      return call(*collector);
    }
    if (const auto* const zip = std::get_if<Zip>(&collect_)) {
      return call(*zip);
    }
    return call(std::get<FirstAnswer>(collect_));
  }

 public:
  /// `inputs_done`: as the output's journal says. `output` outlives this.
  Inputs(std::vector<shm::ConsumerEnd> links, plan::Collect collect, std::uint64_t inputs_done, shm::RingWriter& output,
         std::int64_t spin_ns);

  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

  bool any() const { return !links_.empty(); }
  bool several() const { return links_.size() > 1; }
  /// REQUIRES: any() and not several().
  shm::RingReader& link() { return links_.front(); }
  const shm::RingReader& link() const { return links_.front(); }

  /// The next input; nullptr: there is none yet. Valid until the next call. REQUIRES: any().
  const shm::Record* try_peek() {
    return several() ? of_several([](auto& all) { return all.try_peek(); }) : link().try_peek();
  }
  /// Steps over it.
  void advance() {
    if (several()) {
      of_several([](auto& all) { all.advance(); });
    } else {
      link().advance();
    }
  }
  /// As RingReader::try_items() and advance_items(). REQUIRES: any().
  template <class Ahead>
  shm::FoundItems try_items(std::size_t size, std::uint32_t limit, const Ahead& ahead) {
    if (auto* const collector = std::get_if<Collector>(&collect_)) {
      return collector->try_items(size, limit, ahead);
    }
    if (auto* const zip = std::get_if<Zip>(&collect_)) {
      return zip->try_items(size, limit, ahead);
    }
    return several() ? shm::FoundItems{} : link().try_items(size, limit, ahead);
  }
  void advance_items(std::uint32_t items) {
    if (auto* const collector = std::get_if<Collector>(&collect_)) {
      collector->advance_items(items);
    } else if (auto* const zip = std::get_if<Zip>(&collect_)) {
      zip->advance_items(items);
    } else {
      link().advance_items(items);
    }
  }
  /// Number of the next input. REQUIRES: try_peek() was called since the last one was stepped over, as on a link that
  /// deals there may be others in between.
  std::uint64_t next_number() const {
    return several() ? of_several([](const auto& all) { return all.next_number(); }) : link().next_number();
  }
  /// A link drops the oldest: every input must be done before the next is read.
  bool one_at_a_time() const { return any() && links_.front().one_at_a_time(); }
  /// Where the inputs that were stepped over end. Of several links, only of those that a Collector takes in turn.
  struct Place {
    std::vector<shm::RingReader::Mark> links;
    std::vector<std::uint64_t> numbers;
    std::uint32_t turn = 0;
  };
  /// Inputs may be stepped over before those in front of them are done; see set_done().
  bool may_run_ahead() const { return any() && (!several() || std::holds_alternative<Collector>(collect_)); }
  /// REQUIRES: may_run_ahead().
  Place place() const;
  /// From here on numbers(), turn() and release() are of this place, and not of what was stepped over: the inputs in
  /// front of it are done.
  void set_done(Place place) { done_ = std::move(place); }

  /// For the commit, of several links: how far it is in each, and whose turn it is.
  std::span<const std::uint64_t> numbers() const {
    if (done_) {
      return done_->numbers;
    }
    return several() ? of_several([](const auto& all) { return all.numbers(); }) : std::span<const std::uint64_t>();
  }
  std::uint32_t turn() const {
    if (done_) {
      return done_->turn;
    }
    return several() ? of_several([](const auto& all) { return all.turn(); }) : 0;
  }
  /// Of several links, something else than an input was stepped over since the last release(): it is to be committed,
  /// so that it can be released.
  bool moved() const {
    return several() && of_several([](const auto& all) { return all.moved(); });
  }

  /// From here on the output may refer to large inputs. REQUIRES: no input was read.
  void allow_references();
  /// Releases the inputs that were stepped over, except those that output records refer to. REQUIRES: their commit.
  void release() {
    if (done_) {
      release_done();
      return;
    }
    if (several()) {
      of_several([](auto& all) { all.release(); });
      return;
    }
    const bool retain = !base::mutated(base::Mutation::release_referred_inputs);
    link().release(link().mark(), retain ? output_.oldest_referred() : std::nullopt);
  }
  bool has_unreleased() const {
    return several() ? of_several([](const auto& all) { return all.has_unreleased(); })
                     : any() && link().has_unreleased();
  }
  /// Sleeps until there may be more input, releasing meanwhile what output records no longer refer to. It may return
  /// early. REQUIRES: any(); everything that was stepped over is committed.
  void wait();

 private:
  void wait_while_referred();
  void release_done();

  std::vector<shm::RingReader> links_;
  std::variant<std::monostate, Collector, Zip, FirstAnswer> collect_;  ///< of several links
  std::optional<Place> done_;                                          ///< where inputs run ahead of what is done
  shm::RingWriter& output_;
  std::int64_t spin_ns_;
};

}  // namespace pystream::worker
