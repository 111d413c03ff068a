#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shm/ring_reader.hpp"

namespace pystream::worker {

/// Takes records from several links in turn: those of one unit from one link, then those of the next unit from the
/// next. A unit is what one record led to that was dealt to a replica; its last record closes it. Of branches that are
/// merged, a unit is what one of them made of an item; the item is answered with the unit of the last branch.
///
/// Where the items were not dealt in turn, it follows the dealing: the next record of the dealing link, which it reads
/// besides, names the replica whose unit comes next.
///
/// Invariants:
/// 1. How far it is in each link, and whose turn it is, become valid together, by the write position of the segment's
///    output (see shm::Done).
/// 2. Every link is read up to its end: what stands in front of that would keep out the end where there is no room.
/// 3. Records are numbered in the order of collection, over all links. Numbers of single links say nothing to anybody
///    else, as they collide.
/// 4. The dealing link is stepped over with the record that closes the unit. So in the midst of one it still names its
///    replica.
/// 5. A unit is dealt before it is answered. So with nothing dealt it is enough to sleep on the answers, and the
///    producer of the dealing link need not wake this end for each record.
class Collector {
 public:
  enum class Of { replicas, branches, dealing };
  /// `links`: of Of::dealing the last is the dealing link. `numbers`: of the first record of each link that is not
  /// done; `turn`: of the link whose turn it is; `done`: records collected so far. `links` outlive this.
  Collector(std::span<shm::RingReader> links, Of of, std::span<const std::uint64_t> numbers, std::uint32_t turn,
            std::uint64_t done);

  /// The next record, or nullptr: there is none yet. It closes one region less than in its link. Valid until the next
  /// call.
  const shm::Record* try_peek();
  /// Steps over what try_peek() gave.
  void advance();
  /// As RingReader::try_items(), of the link whose turn it is; none of branches.
  template <class Ahead>
  shm::FoundItems try_items(std::size_t size, std::uint32_t limit, const Ahead& ahead) {
    if (of_ == Of::branches || !find_turn()) {
      return {};  // an item of branches is answered with several
    }
    shm::FoundItems found = link().try_items(size, limit, ahead);
    found_ = found.items;
    closes_ = found.closes > 0;
    found.closes -= closes_ ? 1 : 0;
    return found;
  }
  /// Steps over the first `items` of what try_items() gave.
  void advance_items(std::uint32_t items);
  /// Number of the next record.
  std::uint64_t next_number() const { return done_; }

  /// The link of the next record. REQUIRES: try_peek() gave nothing; not waits_for_any().
  shm::RingReader& link() { return links_[turn_]; }
  /// The next record may come from any link.
  bool waits_for_any() const { return dry_; }
  /// What changes when there may be more. REQUIRES: waits_for_any().
  std::vector<shm::Watched> more();
  /// Of the first record of each link that was not stepped over.
  std::span<const std::uint64_t> numbers() const { return numbers_; }
  std::uint32_t turn() const { return turn_; }
  /// Whatever is stepped over counts as an input.
  static constexpr bool moved() { return false; }
  bool has_unreleased() const;
  /// Releases what was stepped over. REQUIRES: the commit of numbers() and turn().
  void release();

 private:
  bool find_turn();
  const shm::Record* peek_at_turn();
  const shm::Record* peek_at_marks();
  void step(std::uint64_t records, bool closed);
  void pass_turn();
  void pass_to_next() { turn_ = turn_ + 1 == links_.size() ? 0 : turn_ + 1; }

  std::span<shm::RingReader> all_;
  std::span<shm::RingReader> links_;    ///< with answers
  shm::RingReader* dealing_ = nullptr;  ///< where it follows the dealing
  Of of_;
  std::vector<std::uint64_t> numbers_;
  std::uint32_t turn_;
  std::uint64_t done_;
  shm::Record record_;       ///< in hand
  std::size_t over_ = 0;     ///< so many ends were read, one link behind the other
  bool dry_ = false;         ///< nothing was dealt that is not collected
  bool all_dealt_ = false;   ///< the end of the dealing link was read
  bool ended_ = false;       ///< nothing comes any more
  std::uint32_t found_ = 0;  ///< items, by the last try_items()
  bool closes_ = false;      ///< what is in hand, or was found, ends with the last of its unit
};

}  // namespace pystream::worker
