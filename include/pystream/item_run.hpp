#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <pystream/codec.hpp>
#include <type_traits>

/// How a worker hands many small items to a stage in one call. Not for users: typed stages, sources and sinks of plain
/// types take part by themselves.
namespace pystream::detail {

/// Types whose values may be read and written where they lie in a link, whose payloads begin at multiples of 16.
template <class T>
concept RunPayload = Plain<T> && Payload<T> && std::is_base_of_v<PlainCodec, Codec<T>> && alignof(T) <= 16;

/// memcpy for a value that was made just before, field by field: a wider load than the stores before it has to wait
/// until they have left the store buffer, and compilers like to copy 16 bytes at a time.
inline void copy_words(std::byte* to, const void* from, std::size_t size) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::size_t kLargest = 256;
  const auto* bytes = static_cast<const std::byte*>(from);
  std::size_t at = 0;
  for (; size <= kLargest && at + kWord <= size; at += kWord) {
    std::uint64_t word;
    std::memcpy(&word, bytes + at, kWord);
    asm("" : "+r"(word));  // keeps the words apart
    std::memcpy(to + at, &word, kWord);
  }
  std::memcpy(to + at, bytes + at, size - at);
}

/// Items of one size at equal distances, as they lie in shared memory, and room for what becomes of them: what a worker
/// fills in and a stage's RunWalk goes through. Each item is named before its call, for whoever looks at a crash; so
/// one that throws is known too.
struct ItemRun {
  static constexpr std::uint32_t kLargest = 64;
  static constexpr std::size_t kAlign = 16;

  /// What a link keeps in front of each payload. Only `counter` follows from what a stage gives.
  struct Head {
    std::uint64_t counter;  ///< grows by one from result to result
    std::uint64_t sequence;
    std::uint64_t size;
    std::int64_t entered_ns;
  };
  /// From one head to the next.
  static constexpr std::size_t stride(std::size_t payload) {
    return sizeof(Head) + (payload + kAlign - 1) / kAlign * kAlign;
  }

  const std::byte* in = nullptr;     ///< head of the first item; unused for a source
  std::byte* out = nullptr;          ///< where the first result's head goes; unused for a sink
  std::uint32_t items = 0;           ///< at most kLargest; of a source: at most so many
  std::uint32_t given = 0;           ///< results so far
  std::uint64_t counter = 0;         ///< of the first result
  std::array<Head, kLargest> heads;  ///< what a result of each item would have, but for `counter`
  // Where the item in work is named.
  std::uint64_t first_number = 0;
  std::atomic<std::uint64_t>& number;
  std::atomic<std::uint64_t>& sequence;

  /// How many items were done when the one in work threw. REQUIRES: the stage was called.
  std::uint32_t done() const {
    return static_cast<std::uint32_t>(number.load(std::memory_order_relaxed) - first_number);
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
        out_(run.out),
        counter_(run.counter),
        head_(run.heads.data()),
        number_(run.number),
        sequence_(run.sequence),
        next_number_(run.first_number),
        end_(run.first_number + run.items) {
    run.given = 0;
  }

  bool at_end() const { return next_number_ == end_; }
  /// The next item is in work. REQUIRES: !at_end(); input() and give() are over.
  void begin() {
    sequence_.store(head_->sequence, std::memory_order_relaxed);
    number_.store(next_number_, std::memory_order_relaxed);
  }
  const auto& input() const { return *reinterpret_cast<const In*>(in_ + sizeof(ItemRun::Head)); }
  /// Where the item's result may be made.
  std::byte* place() const { return out_ + sizeof(ItemRun::Head); }
  /// The item has given what stands at place().
  void give() {
    const ItemRun::Head head{
        .counter = counter_++, .sequence = head_->sequence, .size = sizeof(Out), .entered_ns = head_->entered_ns};
    copy_words(out_, &head, sizeof(head));
    prefetch_for_write(out_ + kPrefetchBytes);
    out_ += ItemRun::stride(sizeof(Out));
    run_.given = ++given_;
  }
  /// The item is done.
  void end() {
    ++next_number_;
    ++head_;
    if constexpr (!std::is_void_v<In>) {
      in_ += ItemRun::stride(sizeof(In));
    }
  }

 private:
  /// The lines that come next are the consumer's core's; fetching them early hides that.
  static constexpr std::size_t kPrefetchBytes = 512;
  static void prefetch_for_write(std::byte* at) { asm volatile("prefetchw %0" : : "m"(*at)); }

  ItemRun& run_;
  const std::byte* in_;
  std::byte* out_;
  std::uint64_t counter_;
  const ItemRun::Head* head_;
  std::atomic<std::uint64_t>& number_;
  std::atomic<std::uint64_t>& sequence_;
  std::uint64_t next_number_;
  std::uint64_t end_;
  std::uint32_t given_ = 0;
};

/// Sizes of the items that a stage takes and gives in runs; 0 on the side that a source or sink does not have.
struct RunSizes {
  std::size_t in = 0;
  std::size_t out = 0;
  bool any() const { return in != 0 || out != 0; }
};

}  // namespace pystream::detail
