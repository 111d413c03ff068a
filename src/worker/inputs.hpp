#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/mutation.hpp"
#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"
#include "worker/collector.hpp"

namespace pystream::worker {

/// The links that a segment reads; none: a source stands in front. Takes from them, in turn if they are several,
/// releases what was read, and sleeps until there is more.
///
/// An input that a record of the output refers to is not released before that record is. So the sleep of a segment that
/// forwards is a sleep for two things; see wait().
class Inputs {
 public:
  /// `inputs_done`: as the output's journal says. `output` outlives this.
  Inputs(std::vector<shm::ConsumerEnd> links, std::uint64_t inputs_done, shm::RingWriter& output, std::int64_t spin_ns);

  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

  bool any() const { return !links_.empty(); }
  bool several() const { return collector_.has_value(); }
  /// REQUIRES: any() and not several().
  shm::RingReader& link() { return links_.front(); }
  const shm::RingReader& link() const { return links_.front(); }

  /// The next input; nullptr: there is none yet. Valid until the next call. REQUIRES: any().
  const shm::Record* try_peek() { return collector_ ? collector_->try_peek() : link().try_peek(); }
  /// Steps over it.
  void advance() {
    if (collector_) {
      collector_->advance();
    } else {
      link().advance();
    }
  }
  /// As RingReader::try_items() and advance_items(). REQUIRES: any().
  template <class Ahead>
  shm::FoundItems try_items(std::size_t size, std::uint32_t limit, const Ahead& ahead) {
    return collector_ ? collector_->try_items(size, limit, ahead) : link().try_items(size, limit, ahead);
  }
  void advance_items(std::uint32_t items) {
    if (collector_) {
      collector_->advance_items(items);
    } else {
      link().advance_items(items);
    }
  }
  /// Number of the next input. REQUIRES: try_peek() was called since the last one was stepped over, as on a link that
  /// deals there may be others in between.
  std::uint64_t next_number() const { return collector_ ? collector_->next_number() : link().next_number(); }
  /// A link drops the oldest: every input must be done before the next is looked at.
  bool one_at_a_time() const { return any() && links_.front().one_at_a_time(); }
  /// For the commit, of several links: what was stepped over of each, and whose turn it is.
  std::span<const std::uint64_t> numbers() const {
    return collector_ ? collector_->numbers() : std::span<const std::uint64_t>();
  }
  std::uint32_t turn() const { return collector_ ? collector_->turn() : 0; }

  /// From here on the output may refer to large inputs. REQUIRES: no input was read.
  void allow_references();
  /// Releases the inputs that were stepped over, but for those that output records refer to. REQUIRES: their commit.
  void release() {
    if (collector_) {
      release_each();
      return;
    }
    const bool retain = !base::mutated(base::Mutation::release_referred_inputs);
    link().release(link().mark(), retain ? output_.oldest_referred() : std::nullopt);
  }
  bool has_unreleased() const {
    return std::any_of(links_.begin(), links_.end(), [](const shm::RingReader& link) { return link.has_unreleased(); });
  }
  /// Sleeps until there may be more input, releasing meanwhile what output records cease to refer to. It may return
  /// early. REQUIRES: any(); everything that was stepped over is committed.
  void wait();

 private:
  void wait_while_referred();
  void release_each();

  std::vector<shm::RingReader> links_;
  std::optional<Collector> collector_;  ///< of several links
  shm::RingWriter& output_;
  std::int64_t spin_ns_;
};

}  // namespace pystream::worker
