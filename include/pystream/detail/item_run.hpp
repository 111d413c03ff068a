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
inline constexpr std::size_t kCacheLine = 64;
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
  constexpr std::size_t kLargest = 128;  ///< beyond, wide stores gain more than one wait costs
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
/// fills in and a stage goes through with for_each_item(). Usually crash reports name the run as a whole; where the
/// culprit must be isolated, each item is named before its call.
struct ItemRun {
  static constexpr std::uint32_t kMost = 64;  ///< items: bits of `sequences`

  const std::byte* in = nullptr;  ///< first item; unused for a source
  std::size_t in_step = 0;        ///< from one item to the next
  std::byte* out = nullptr;       ///< where the first result goes, the others right behind it; unused for a sink
  std::uint32_t items = 0;        ///< of a source: at most so many
  std::uint32_t done = 0;         ///< when process_run() is over, also if it threw: so many items are done
  std::uint64_t sequence = 0;
  std::uint64_t sequences = 0;  ///< bit i: the item with sequence number `sequence` + i
  std::uint64_t given = 0;      ///< of a stage that filters: bit i: item i of the run gave a result
  std::uint64_t first_number = 0;
  // Where each item is named; nullptr: nowhere.
  std::atomic<std::uint64_t>* named_number = nullptr;
  std::atomic<std::uint64_t>* named_sequence = nullptr;
};

/// Keeps the count of done items in a register as long as nothing throws.
class RunProgress {
 public:
  explicit RunProgress(ItemRun& run) : run_(run) {}
  ~RunProgress() { run_.done = done_; }
  RunProgress(const RunProgress&) = delete;
  RunProgress& operator=(const RunProgress&) = delete;

  std::uint32_t done() const { return done_; }
  void add_one() { ++done_; }

 private:
  ItemRun& run_;
  std::uint32_t done_ = 0;
};

/// `kNamed`: each item is named before its call. If not, nothing stands between two small items, so that compilers may
/// make this loop work on several at once.
template <bool kNamed, std::size_t kOut, class Step, class Work>
void walk_items(ItemRun& run, Step step, const Work& work) {
  // In locals: writes to shared memory could change any member, as far as a compiler knows.
  const std::byte* const in = run.in;
  std::byte* const out = run.out;
  const std::uint32_t items = run.items;
  if constexpr (kOut != 0 && kOut < kCacheLine) {
    for (std::size_t ahead = 0; ahead < items * kOut; ahead += kCacheLine) {
      prefetch_for_write(out + kPrefetchBytes + ahead);
    }
  }
  std::uint64_t left = run.sequences;
  const std::uint64_t sequence = run.sequence;
  for (RunProgress progress(run); progress.done() < items; progress.add_one()) {
    const std::size_t i = progress.done();
    if constexpr (kNamed) {
      run.named_sequence->store(sequence + static_cast<std::uint64_t>(std::countr_zero(left)),
                                std::memory_order_relaxed);
      run.named_number->store(run.first_number + i, std::memory_order_relaxed);
      left &= left - 1;
    }
    if constexpr (kOut >= kCacheLine) {
      for (std::size_t line = 0; line < kOut && line < kPrefetchBytes; line += kCacheLine) {
        prefetch_for_write(out + i * kOut + kPrefetchBytes + line);
      }
    }
    if (!work(in + i * step, out + i * kOut)) {
      return;
    }
  }
}

/// Calls `work(in, out)` for the items of a run, in order: where item i lies and, of a result for each, where item i's
/// goes. False: the run ends before this item (a source has no more). `kIn`, `kOut`: their sizes, 0: there are none.
template <std::size_t kIn, std::size_t kOut, class Work>
void for_each_item(ItemRun& run, const Work& work) {
  if (run.named_number != nullptr) {
    walk_items<true, kOut>(run, run.in_step, work);
  } else if (run.in_step == kIn) {
    walk_items<false, kOut>(run, std::integral_constant<std::size_t, kIn>{}, work);
  } else {
    walk_items<false, kOut>(run, run.in_step, work);
  }
}

/// Sizes of the items that a stage takes and gives in runs; 0 on the side that a source or sink does not have.
struct RunSizes {
  std::size_t in = 0;
  std::size_t out = 0;
  bool filters = false;  ///< not every item gives one
  bool any() const { return in != 0 || out != 0; }
};

}  // namespace pystream::detail
