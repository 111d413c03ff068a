#pragma once

#include <cstdint>
#include <optional>
#include <pystream/item.hpp>
#include <vector>

#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"
#include "worker/row_place.hpp"

namespace pystream::worker {

/// What an output calls when its link is full: commits what is done, releases input, waits.
class RoomMaker {
 public:
  virtual ~RoomMaker() = default;
  virtual void make_room() = 0;
};

/// The tag of the item in work; a source in front gives every item it emits a number of its own.
struct Flow {
  Item::Tag tag;
  const shm::Record* input = nullptr;  ///< that the item came in; nullptr: made here, or copied
  bool numbering = false;              ///< the first stage of this segment is a source
  std::uint64_t next_sequence = 0;     ///< number of the source's next item among those that it gives
  std::optional<Item::Tag> origin{};   ///< of that item, where the source tells it

  /// Number of the newest item among those of the source; its sequence number is another one if it has an origin.
  std::uint64_t number() const { return next_sequence - 1; }

  void number_item() {
    tag.sequence = next_sequence++;
    tag.part = 0;
    if (origin) {
      tag.sequence = origin->sequence;
      tag.part = origin->part;
      tag.entered_ns = origin->entered_ns;
      origin.reset();
    }
  }
};

/// A stage's output into a link, written in place. Counts the outputs of each input and, when an input is replayed,
/// swallows as many as a predecessor had published.
class LinkOutput final : public Output {
 public:
  LinkOutput(shm::RingWriter& ring, RoomMaker& room, Flow& flow, RowPlace place = {})
      : ring_(ring),
        room_(room),
        flow_(flow),
        place_(place),
        terminal_(ring.link().ring_bytes == 0),
        answers_(ring.link().answers != static_cast<std::uint32_t>(shm::Answers::as_it_likes) || !place.alone()),
        one_answer_(ring.link().answers == static_cast<std::uint32_t>(shm::Answers::one)) {}

  /// The link carries nothing: the segment ends in a sink.
  bool terminal() const { return terminal_; }
  /// Every input is answered, by a tombstone if nothing comes out.
  bool answers() const { return answers_; }

  /// `first`: the stage that writes here is a source, so each emission is an item of its own.
  void set_first(bool first) { first_ = first; }
  /// Large inputs that are forwarded unchanged stay in their link. REQUIRES: input and output link block,
  /// and the input is released only up to RingWriter::oldest_referred().
  void set_refers() { refers_ = true; }
  /// A predecessor published the first `outputs` of the next input's outputs; they are swallowed.
  void resume_at(std::uint32_t outputs) { resumed_ = outputs; }
  /// The next input is one of which a predecessor published outputs.
  bool resumes() const { return resumed_ != 0; }
  /// A new input, or the next one once more.
  void begin_input() { begin(resumed_); }
  /// No input is in work: what is committed from here on are whole inputs.
  void begin_between_inputs() { begin(0); }
  /// What is emitted from here on is what withdraw() takes back: the work on one item of those that a source makes of
  /// one input.
  void begin_part() {
    start_ = {.mark = ring_.mark(), .emitted = emitted_, .pending = pending_, .published = published_};
  }
  /// The input, which closed `closes` rows, is done; leaves a tombstone if it must be answered and nothing was emitted.
  void end_input(std::uint8_t closes) {
    resumed_ = 0;
    closes = place_.closes_after(closes);
    // What a full link dropped is no answer either.
    if (!terminal_ && (closes > 0 || (answers_ && pending_ == 0))) {
      close_input(closes);
    }
  }
  /// Withdraws what was emitted since begin_part() or begin_input() and is not yet published. Another try may follow;
  /// as many of its outputs as stay published are swallowed.
  void withdraw();
  /// Of the newest output; 0: there was none.
  std::size_t last_size() const { return last_size_; }
  /// Outputs of the input in work, published or not.
  std::uint32_t emitted() const { return emitted_; }
  /// Items that left the segment with the input in work. A sink lets each of its inputs out.
  std::uint64_t came_out() const { return terminal_ ? 1 : emitted_; }
  /// A tombstone that was read is passed on; so is the end.
  void mark(shm::RecordKind kind, std::uint8_t closes);
  /// Everything finished so far is published.
  void note_commit() {
    pending_ = 0;
    published_ = emitted_;
  }

  std::uint64_t sequence() const { return flow_.tag.sequence; }

  void set_origin(const Item::Tag& tag) override {
    if (first_) {
      flow_.origin = tag;
    }
  }
  std::span<std::byte> reserve(std::size_t size) override;
  void emit_reserved(std::size_t size) override;
  void forward(const Item& in) override;

 protected:
  void emit_value(const void* value, const ValueType& type) override;

 private:
  void begin(std::uint32_t already_out) {
    emitted_ = 0;
    pending_ = 0;
    already_out_ = already_out;
    published_ = already_out;
    reserved_ = 0;
    begin_part();
  }
  void close_input(std::uint8_t closes);
  bool may_refer(const Item& in) const;
  void refer(const Item& in);
  shm::RecordTag output_tag() const;
  std::byte* make_place(std::size_t size);
  [[noreturn]] void refuse(std::size_t size) const;
  [[noreturn]] static void refuse_second();

  shm::RingWriter& ring_;
  RoomMaker& room_;
  Flow& flow_;
  RowPlace place_;
  bool terminal_;
  bool answers_;
  bool one_answer_;
  bool first_ = false;
  bool refers_ = false;
  std::uint32_t resumed_ = 0;
  std::uint32_t emitted_ = 0;
  std::uint32_t already_out_ = 0;
  std::uint32_t published_ = 0;
  std::uint32_t pending_ = 0;  ///< outputs of this input that are finished and not committed
  struct Start {
    shm::RingWriter::Mark mark{};
    std::uint32_t emitted = 0;
    std::uint32_t pending = 0;
    std::uint32_t published = 0;
  };
  Start start_;
  /// Where the output in work goes if not into the link.
  enum class Lost { no, published_before, dropped };
  Lost lost_ = Lost::no;
  std::size_t reserved_ = 0;  ///< size of the reservation in work + 1; 0: none
  std::size_t last_size_ = 0;
  std::vector<std::byte> scratch_;
};

}  // namespace pystream::worker
