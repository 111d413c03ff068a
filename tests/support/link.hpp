#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"
#include "shm/segment.hpp"

/// Links in real shared memory, with few words.
namespace pystream::test {

inline constexpr std::int64_t kSecondNs = 1'000'000'000;

/// A segment of two workers with one link from worker 0 to worker 1.
inline shm::Segment make_link(shm::LinkSize size = {}) {
  size.producer = 0;
  size.consumers.resize(std::max<std::size_t>(size.consumers.size(), 1), 1);
  size.ring_bytes = size.ring_bytes == 0 ? 4096 : size.ring_bytes;
  size.item_limit = size.item_limit == 0 ? 64 * 1024 : size.item_limit;
  return shm::Segment::create({.workers = {{}, {}}, .links = {size}, .plan = "{}"});
}

/// Both ends of one link in this process.
struct Link {
  explicit Link(shm::LinkSize size = {})
      : segment(make_link(size)), sut(segment.map_producer(0)), reader(segment.map_consumer(0), 0) {}

  void commit() { sut.commit({.inputs_done = ++inputs_done}); }

  shm::Segment segment;
  shm::RingWriter sut;
  shm::RingReader reader;
  std::uint64_t inputs_done = 0;
};

/// The same bytes in memory of its own: what a successor would find if everybody died now.
inline shm::Segment copy_of(int fd) {
  base::UniqueFd copy(::memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (::ftruncate(copy.get(), size) != 0) {
    throw std::runtime_error("ftruncate");
  }
  std::vector<std::byte> buffer;
  for (off_t data = ::lseek(fd, 0, SEEK_DATA); data >= 0 && data < size;) {
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    buffer.resize(static_cast<std::size_t>(hole - data));
    if (::pread(fd, buffer.data(), buffer.size(), data) != hole - data ||
        ::pwrite(copy.get(), buffer.data(), buffer.size(), data) != hole - data) {
      throw std::runtime_error("cannot copy a segment");
    }
    data = ::lseek(fd, hole, SEEK_DATA);
  }
  ::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return shm::Segment::attach(std::move(copy));
}

/// Bytes that only this item has.
inline std::string payload_of(std::uint64_t number, std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = number * 0x9e3779b97f4a7c15U + size;
  for (char& letter : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    letter = static_cast<char>(state >> 56);
  }
  return bytes;
}

/// Finishes a record; false if the link is full.
inline bool put(shm::RingWriter& ring, std::string_view bytes, const shm::RecordTag& tag = {}) {
  std::byte* to = ring.try_reserve(bytes.size());
  if (to == nullptr) {
    return false;
  }
  if (!bytes.empty()) {
    std::memcpy(to, bytes.data(), bytes.size());
  }
  ring.finish(bytes.size(), tag);
  return true;
}

/// A record with a commit of its own; false if the link is full.
inline bool put_and_commit(shm::RingWriter& ring, const std::string& text) {
  if (!put(ring, text, {.sequence = ring.next_number()})) {
    return false;
  }
  ring.commit({.inputs_done = ring.next_number()});
  return true;
}

/// Items of one size as one record; `tag.sequence` is the first one's, the others count on from it. How many had room.
inline std::uint32_t put_run(shm::RingWriter& ring, std::span<const std::string> items,
                             const shm::RecordTag& tag = {}) {
  const std::size_t size = items.front().size();
  const std::uint32_t room = ring.try_reserve_run(size, static_cast<std::uint32_t>(items.size()));
  for (std::uint32_t i = 0; i < room; ++i) {
    std::memcpy(ring.run_start() + i * size, items[i].data(), size);
  }
  if (room > 0) {
    ring.finish_run(size, {.items = room, .sequences = shm::low_bits(room)}, tag);
  }
  return room;
}

/// How far try_items() may go: as far as it likes.
inline constexpr auto kAll = [](std::uint64_t, std::uint32_t most) { return most; };
/// Only over sequence numbers before this one.
inline auto before(std::uint64_t end) {
  return [end](std::uint64_t sequence, std::uint32_t most) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(end - sequence, most));
  };
}

inline std::string text_of(const shm::Record& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

/// The next item, stepped over but not released.
inline std::optional<std::string> take(shm::RingReader& ring) {
  const shm::Record* record = ring.try_peek();
  if (record == nullptr) {
    return std::nullopt;
  }
  std::string text = text_of(*record);
  ring.advance();
  return text;
}

/// Everything that is published.
inline std::vector<std::string> take_all(shm::RingReader& ring) {
  std::vector<std::string> all;
  while (auto text = take(ring)) {
    all.push_back(std::move(*text));
  }
  return all;
}

/// A seed that the test's output names, or that of a failed run: PYSTREAM_TEST_SEED.
inline std::uint64_t test_seed() {
  const char* given = std::getenv("PYSTREAM_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("PYSTREAM_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

/// Time for a condition to come true on a loaded machine.
class Deadline {
 public:
  explicit Deadline(std::chrono::nanoseconds after) : end_(std::chrono::steady_clock::now() + after) {}
  bool passed() const { return std::chrono::steady_clock::now() > end_; }

 private:
  std::chrono::steady_clock::time_point end_;
};

template <class Condition>
bool wait_until(Condition condition, std::chrono::nanoseconds deadline = std::chrono::seconds(60)) {
  const Deadline end(deadline);
  while (!condition()) {
    if (end.passed()) {
      return false;
    }
    ::usleep(200);
  }
  return true;
}

}  // namespace pystream::test
