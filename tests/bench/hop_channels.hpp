#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "bench/bare_ring.hpp"
#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"

/// One direction of a hop between two processes, in each peer's way. A channel is made before the fork; one process
/// calls attach_sender() and send(), the other attach_receiver() and receive(). Both block while they must.
namespace pystream::bench {

inline constexpr std::size_t kMessageBytes = 64;
using Message = std::array<std::uint64_t, kMessageBytes / 8>;

/// Publishes and gives back every `kBatch` messages, these with the next receive(): so a worker does it too, which
/// first commits what became of its input. `kAwake`: waits by looking again, else by sleeping.
template <int kBatch, bool kAwake>
class RingChannel {
 public:
  RingChannel()
      : segment_(shm::Segment::create(
            {.workers = {{}, {}},
             .links = {{.producer = 0, .consumers = {1}, .ring_bytes = 1 << 20, .item_limit = 1 << 16}},
             .plan = ""})) {}
  void attach_sender() { writer_.emplace(segment_.map_producer(0)); }
  void attach_receiver() { reader_.emplace(segment_.map_consumer(0), 0); }

  void send(const Message& message) {
    std::byte* to = writer_->try_reserve(sizeof(message));
    while (to == nullptr) {
      if (!kAwake) {
        writer_->wait(0, kPatienceNs);
      }
      to = writer_->try_reserve(sizeof(message));
    }
    std::memcpy(to, message.data(), sizeof(message));
    writer_->finish(sizeof(message), {.sequence = writer_->next_number()});
    if (writer_->next_number() % kBatch == 0) {
      writer_->commit({.inputs_done = writer_->next_number()});
    }
  }
  void receive(Message& message) {
    if (reader_->has_unreleased() && reader_->next_number() % kBatch == 0) {
      reader_->release();
    }
    const shm::Record* record = reader_->try_peek();
    while (record == nullptr) {
      if (!kAwake) {
        reader_->wait(0, kPatienceNs);
      }
      record = reader_->try_peek();
    }
    std::memcpy(message.data(), record->payload.data(), sizeof(message));
    reader_->advance();
  }

 private:
  static constexpr std::int64_t kPatienceNs = 1'000'000'000;
  shm::Segment segment_;
  std::optional<shm::RingWriter> writer_;
  std::optional<shm::RingReader> reader_;
};

/// The least: two positions and slots. Gives back as RingChannel does.
template <int kBatch>
class BareChannel {
 public:
  void attach_sender() {}
  void attach_receiver() {}
  void send(const Message& message) {
    while (at_ - other_ == ring_.slots()) {
      other_ = ring_.read();
    }
    std::memcpy(ring_.slot(at_), message.data(), sizeof(message));
    ++at_;
    if (at_ % kBatch == 0) {
      ring_.store_written(at_);
    }
  }
  void receive(Message& message) {
    if (at_ % kBatch == 0) {
      ring_.store_read(at_);
    }
    while (other_ == at_) {
      other_ = ring_.written();
    }
    std::memcpy(message.data(), ring_.slot(at_), sizeof(message));
    ++at_;
  }

 private:
  BareRing<kMessageBytes> ring_{1 << 20};
  std::uint64_t at_ = 0;     ///< of this process
  std::uint64_t other_ = 0;  ///< the other's, as seen last
};

/// The least that can wake a sleeping receiver: a word and one message.
class FutexChannel {
 public:
  void attach_sender() {}
  void attach_receiver() {}
  void send(const Message& message) {
    shared_->message = message;
    shared_->word.store(++at_, std::memory_order_release);
    base::futex_wake(shared_->word);
  }
  void receive(Message& message) {
    while (shared_->word.load(std::memory_order_acquire) == at_) {
      base::futex_wait(shared_->word, at_, 1'000'000'000);
    }
    ++at_;
    message = shared_->message;
  }

 private:
  struct Words {
    alignas(128) std::atomic<std::uint64_t> word{0};
    alignas(128) Message message{};
  };
  Shared<Words> shared_;
  std::uint64_t at_ = 0;
};

class PipeChannel {
 public:
  PipeChannel() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) {
      give_up("pipe");
    }
  }
  ~PipeChannel() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  PipeChannel(const PipeChannel&) = delete;
  PipeChannel& operator=(const PipeChannel&) = delete;
  void attach_sender() {}
  void attach_receiver() {}
  void send(const Message& message) {
    if (::write(ends_[1], message.data(), sizeof(message)) != sizeof(message)) {  // below PIPE_BUF: whole or not at all
      give_up("write");
    }
  }
  void receive(Message& message) {
    if (::read(ends_[0], message.data(), sizeof(message)) != sizeof(message)) {
      give_up("read");
    }
  }

 private:
  std::array<int, 2> ends_{};
};

class BoostQueueChannel {
 public:
  BoostQueueChannel() : name_("pystream-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++count_)) {
    queue_.emplace(boost::interprocess::create_only, name_.c_str(), 1024, kMessageBytes);
  }
  ~BoostQueueChannel() { boost::interprocess::message_queue::remove(name_.c_str()); }
  BoostQueueChannel(const BoostQueueChannel&) = delete;
  BoostQueueChannel& operator=(const BoostQueueChannel&) = delete;
  void attach_sender() {}
  void attach_receiver() {}
  void send(const Message& message) { queue_->send(message.data(), sizeof(message), 0); }
  void receive(Message& message) {
    std::size_t size = 0;
    unsigned priority = 0;
    queue_->receive(message.data(), sizeof(message), size, priority);
  }

 private:
  static inline int count_ = 0;
  std::string name_;
  std::optional<boost::interprocess::message_queue> queue_;
};

}  // namespace pystream::bench
