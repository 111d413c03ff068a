#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shm/ring_reader.hpp"

namespace pystream::worker {

/// Makes one item of the answers that several branches gave to an item: a tuple of their bytes (see Codec<std::tuple>).
/// If a branch gave none, the item is answered with nothing.
///
/// Invariants:
/// 1. An answer stays in its link, and its number out of the journal, until the item that it is part of is done. Marks
/// in
///    front of an answer are done at once: on a link that holds one item they would keep out the answer.
/// 2. How far it is in each link becomes valid by the write position of the segment's output (see shm::Done).
/// 3. Items are numbered by themselves: numbers of the links have no meaning elsewhere.
/// 4. Every link is read up to its end: what stands in front of that would keep out the end where there is no room.
class Zip {
 public:
  /// `numbers`: of the first record of each link that is not done; `done`: items so far. `links` outlive this.
  Zip(std::span<shm::RingReader> links, std::span<const std::uint64_t> numbers, std::uint64_t done);

  /// The next item, or nullptr: not all of its parts are there. Valid until the next call. Throws LinkCorrupt.
  const shm::Record* try_peek();
  /// Steps over what try_peek() gave.
  void advance();
  /// As RingReader::try_items(): of items whose parts lie in runs on each link. REQUIRES: try_peek() gave the first.
  template <class Ahead>
  shm::FoundItems try_items(std::size_t size, std::uint32_t limit, const Ahead& ahead);
  /// Steps over the first `items` of what try_items() gave.
  void advance_items(std::uint32_t items);
  std::uint64_t next_number() const { return done_; }

  /// The link that has to give more before there is an item.
  shm::RingReader& link() { return links_[answered_ < links_.size() ? answered_ : 0]; }
  /// Of the first record of each link that was not stepped over.
  std::span<const std::uint64_t> numbers() const { return numbers_; }
  /// All links are read for each item.
  static constexpr std::uint32_t turn() { return 0; }
  /// Marks were stepped over since the last release().
  bool moved() const { return moved_; }
  bool has_unreleased() const { return unreleased_; }
  /// Releases what is done. REQUIRES: the commit of numbers().
  void release();

 private:
  /// What a link gives to the next item.
  struct Answer {
    std::span<const std::byte> bytes{};
    bool given = false;
    bool complete = false;
    bool stepped = false;  ///< over records of it: released is only what stands before `begin`
    shm::RingReader::Mark begin{};
  };

  bool gather();
  bool read_answer(std::size_t index);
  void step_over_mark(std::size_t index);
  void put_together();
  template <class Ahead>
  std::uint32_t find_parts(std::uint32_t limit, const Ahead& ahead);
  void put_together(std::size_t size, std::uint32_t items);

  std::span<shm::RingReader> links_;
  std::vector<std::uint64_t> numbers_;
  std::vector<Answer> answers_;
  std::size_t answered_ = 0;  ///< links whose answer to the next item is complete
  std::uint64_t done_;
  shm::Record record_;  ///< the next item
  bool ready_ = false;  ///< record_ is complete
  bool over_ = false;   ///< an end was read
  bool moved_ = false;
  bool unreleased_ = false;
  std::vector<std::byte> tuple_;
  std::vector<shm::FoundItems> found_;  ///< in each link, by try_items()
  std::vector<std::byte> tuples_;       ///< of these
};

/// How many of the next items have a part in each link that is like that of the first, and close nothing but the
/// branch.
template <class Ahead>
std::uint32_t Zip::find_parts(std::uint32_t limit, const Ahead& ahead) {
  std::uint32_t items = limit;
  found_.clear();
  for (std::size_t i = 0; i < links_.size() && items > 1; ++i) {
    found_.push_back(links_[i].try_items(answers_[i].bytes.size(), items, ahead));
    const shm::FoundItems& found = found_.back();
    const bool same = found.sequence == record_.sequence && found.entered_ns == record_.entered_ns &&
                      found.sequences == shm::low_bits(found.items);
    items = same && found.closes_each == 1 && !answers_[i].stepped ? found.items - (found.closes > 1 ? 1 : 0) : 0;
  }
  return items;
}

template <class Ahead>
shm::FoundItems Zip::try_items(std::size_t size, std::uint32_t limit, const Ahead& ahead) {
  if (!ready_ || record_.kind != shm::RecordKind::item || record_.closes > 0 || record_.payload.size() != size) {
    return {};
  }
  const std::uint32_t items = find_parts(limit, ahead);
  if (items < 2) {
    return {};
  }
  put_together(size, items);
  return {.items = items,
          .payload = tuples_.data(),
          .step = size,
          .sequence = record_.sequence,
          .sequences = shm::low_bits(items),
          .entered_ns = record_.entered_ns};
}

}  // namespace pystream::worker
