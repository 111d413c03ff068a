#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <pystream/codec.hpp>
#include <type_traits>

/// How a worker hands many small items to a stage in one call. Not for users: typed stages, sources and sinks of plain
/// types take part by themselves.
namespace pystream::detail {

/// Types whose values may be read and written where they lie in a link: records, and the first item of a run, begin at
/// multiples of 16, the others of a run right behind one another.
template <class T>
concept RunPayload = Plain<T> && Payload<T> && std::is_base_of_v<PlainCodec, Codec<T>> && alignof(T) <= 16;

/// A line that is written soon and belongs to the consumer's core now; fetching it early hides that. The compiler's own
/// prefetch fetches it to read, unless it may suppose a newer processor; the line then has to be asked for once more.
inline constexpr std::size_t kPrefetchBytes = 512;  ///< so far ahead
inline void prefetch_for_write(std::byte* at) {
#ifdef __x86_64__
  asm volatile("prefetchw %0" : : "m"(*at));
#else
  __builtin_prefetch(at, 1);
#endif
}

/// The same word. Compilers like to copy two words with one load; if they were stored just before, one by one, it waits
/// until both stores have left the store buffer, some 2 ns. This keeps them apart.
inline std::uint64_t apart(std::uint64_t word) {
  asm("" : "+r"(word));
  return word;
}

/// memcpy for a value that was made just before, field by field.
inline void copy_words(std::byte* to, const void* from, std::size_t size) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::size_t kLargest = 256;
  const auto* bytes = static_cast<const std::byte*>(from);
  std::size_t at = 0;
  for (; size <= kLargest && at + kWord <= size; at += kWord) {
    std::uint64_t word;
    std::memcpy(&word, bytes + at, kWord);
    word = apart(word);
    std::memcpy(to + at, &word, kWord);
  }
  std::memcpy(to + at, bytes + at, size - at);
}

/// Items of one size at equal distances, as they lie in shared memory, and room for what becomes of them: what a worker
/// fills in and a stage's RunWalk goes through. Each item is named before its call, for whoever looks at a crash; so
/// one that throws is known too.
struct ItemRun {
  static constexpr std::uint32_t kLargest = 64;  ///< bits of `sequences`

  const std::byte* in = nullptr;  ///< first item; unused for a source
  std::size_t in_step = 0;        ///< from one item to the next
  std::byte* out = nullptr;       ///< where the first result goes, the others right behind it; unused for a sink
  std::uint64_t sequence = 0;
  std::uint64_t sequences = 0;  ///< bit i: the item with sequence number `sequence` + i; of a source: at most these
  std::uint64_t given = 0;      ///< those of the items that gave a result
  // Where the item in work is named.
  std::uint64_t first_number = 0;
  std::atomic<std::uint64_t>& named_number;
  std::atomic<std::uint64_t>& named_sequence;

  /// How many items were done when the one in work threw. REQUIRES: the stage was called.
  std::uint32_t done() const {
    return static_cast<std::uint32_t>(named_number.load(std::memory_order_relaxed) - first_number);
  }
};

/// Goes through a run. Everything is kept in locals: writes to shared memory could change any member, as far as a
/// compiler knows.
template <class In, class Out>
class RunWalk {
 public:
  explicit RunWalk(ItemRun& run)
      : run_(run),
        in_(run.in),
        in_step_(run.in_step),
        out_(run.out),
        sequence_(run.sequence),
        left_(run.sequences),
        number_(run.first_number),
        named_number_(run.named_number),
        named_sequence_(run.named_sequence) {
    run.given = 0;
  }

  bool at_end() const { return left_ == 0; }
  /// The next item is in work. REQUIRES: !at_end(); input() and give() are over.
  void begin() {
    named_sequence_.store(sequence_ + static_cast<std::uint64_t>(std::countr_zero(left_)), std::memory_order_relaxed);
    named_number_.store(number_, std::memory_order_relaxed);
  }
  const auto& input() const { return *reinterpret_cast<const In*>(in_); }
  /// Where the item's result may be made.
  std::byte* place() const { return out_; }
  /// The item has given what stands at place().
  void give() {
    given_ |= left_ & -left_;
    run_.given = given_;
    prefetch_for_write(out_ + kPrefetchBytes);
    out_ += sizeof(Out);
  }
  /// The item is done.
  void end() {
    ++number_;
    left_ &= left_ - 1;
    in_ += in_step_;
  }

 private:
  ItemRun& run_;
  const std::byte* in_;
  std::size_t in_step_;
  std::byte* out_;
  std::uint64_t sequence_;
  std::uint64_t left_;
  std::uint64_t number_;
  std::uint64_t given_ = 0;
  std::atomic<std::uint64_t>& named_number_;
  std::atomic<std::uint64_t>& named_sequence_;
};

/// Sizes of the items that a stage takes and gives in runs; 0 on the side that a source or sink does not have.
struct RunSizes {
  std::size_t in = 0;
  std::size_t out = 0;
  bool any() const { return in != 0 || out != 0; }
};

}  // namespace pystream::detail
