#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <pystream/detail/stage_forms.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/link.hpp"
#include "worker/row.hpp"

/// A worker without a process around it: segments of stages on real links. The test is the world on the other ends.
namespace pystream::test {

using RawFunction = std::function<void(const Item&, Output&)>;

inline std::unique_ptr<StageAdapter> raw(RawFunction function) {
  return std::make_unique<detail::RawAdapter<RawFunction>>(std::move(function));
}

template <class Out, class In, class Callee>
std::unique_ptr<StageAdapter> typed(Callee callee) {
  return std::make_unique<detail::FunctionAdapter<In, Out, Callee>>(std::move(callee));
}

inline std::string text_of(const Item& item) {
  return {reinterpret_cast<const char*>(item.bytes().data()), item.bytes().size()};
}
inline void emit_text(Output& out, std::string_view text) {
  out.emit_bytes(std::as_bytes(std::span(text)));
}

inline std::unique_ptr<StageAdapter> pass() {
  return raw([](const Item& in, Output& out) { out.forward(in); });
}

/// One segment of the worker under test.
struct RigSegment {
  std::function<std::vector<std::unique_ptr<StageAdapter>>()> make;
  bool has_source = false;
  bool has_sink = false;
  plan::FaultPolicy faults{};
  /// Stages of plain types get several items in one call from the start, instead of once they proved to be fast.
  bool in_runs = false;
};

struct RigSpec {
  std::vector<RigSegment> segments;
  shm::LinkSize link{.ring_bytes = 4096, .item_limit = 20'000};
  bool answers = false;
  std::uint64_t checkpoint_bytes = 0;
  std::uint64_t rows = 0;    ///< room for that many rows of single items
  bool deals = false;        ///< the output of segment 0 is dealt to two consumers
  bool is_dealt_to = false;  ///< segment 0 is the first of two replicas
  bool is_branch = false;    ///< segment 0 is the first of two branches
  bool feeds_branches = false;
  /// Segment 0 reads a second link, rig_second_input(), and takes from the two so.
  std::optional<plan::Collect> collects{};
  bool one_answer = false;  ///< an input may have one output at most
};

/// Behind the links of the segments.
inline std::uint32_t rig_second_input(const RigSpec& spec) {
  return static_cast<std::uint32_t>(2 * spec.segments.size());
}
/// The dealing link that segment 0 follows, where it collects by plan::Collect::dealing.
inline std::uint32_t rig_followed(const RigSpec& spec) {
  return rig_second_input(spec) + 1;
}

class KeptLetters final : public worker::DeadLetters {
 public:
  void store(const Letter& letter) override {
    reasons.push_back(letter.reason);
    sequences.push_back(letter.sequence);
    items.emplace_back(reinterpret_cast<const char*>(letter.bytes.data()), letter.bytes.size());
  }
  std::vector<std::string> reasons;
  std::vector<std::uint64_t> sequences;
  std::vector<std::string> items;
};

/// Worker 0 is the world, worker 1 is under test. Link 2 * i leads to its segment i (unless a source stands there),
/// link 2 * i + 1 away from it (a terminal one behind a sink).
inline shm::Segment make_rig_segment(const RigSpec& spec) {
  shm::SegmentSpec made{
      .workers = {{}, {.stages = 16, .segments = static_cast<std::uint32_t>(spec.segments.size()), .rows = spec.rows}},
      .links = {},
      .plan = ""};
  made.workers[1].checkpoint_bytes = spec.checkpoint_bytes;
  for (const RigSegment& segment : spec.segments) {
    shm::LinkSize in = spec.link;
    in.producer = 0;
    in.consumers = {1};
    shm::LinkSize out = spec.link;
    out.producer = 1;
    out.consumers = {0};
    out.answers = spec.one_answer ? shm::Answers::one : spec.answers ? shm::Answers::each : shm::Answers::as_it_likes;
    if (segment.has_sink) {
      out = {.producer = 1, .consumers = {1}};
    }
    made.links.push_back(in);
    made.links.push_back(out);
  }
  const auto share = [](shm::LinkSize& link, Sharing sharing) {
    link.consumers.push_back(0);
    link.sharing = sharing;
  };
  if (spec.is_dealt_to || spec.is_branch) {
    share(made.links[0], spec.is_branch ? Sharing::branches : Sharing::turn);
  }
  if (spec.deals || spec.feeds_branches) {
    share(made.links[1], spec.feeds_branches ? Sharing::branches : Sharing::turn);
  }
  if (spec.collects) {
    shm::LinkSize second = spec.link;
    second.producer = 0;
    second.consumers = {1};
    made.links.push_back(second);
  }
  if (spec.collects == plan::Collect::dealing) {
    shm::LinkSize followed = spec.link;
    followed.producer = 0;
    followed.consumers = {0, 0, 1};
    followed.sharing = Sharing::key;
    made.links.push_back(followed);
  }
  return shm::Segment::create(made);
}

/// The worker, started on a segment (again, if it was in work before).
class RiggedWorker {
 public:
  RiggedWorker(const shm::Segment& segment, const RigSpec& spec) {
    shm::WorkerEnd end = segment.map_worker(1);
    for (const RigSegment& given : spec.segments) {
      if (given.in_runs) {
        end.profile.page->rate_shift = 20;  // an item that is timed singly is no part of a run
      }
    }
    monitor_ = std::make_unique<worker::Monitor>(std::move(end), -1);
    std::uint32_t first = 0;
    for (std::uint32_t i = 0; i < spec.segments.size(); ++i) {
      const RigSegment& given = spec.segments[i];
      worker::SegmentParts parts;
      parts.output = segment.map_producer(2 * i + 1);
      if (!given.has_source) {
        parts.inputs.push_back(segment.map_consumer(2 * i));
      }
      if (spec.collects && i == 0) {
        parts.inputs.push_back(segment.map_consumer(rig_second_input(spec)));
        parts.collect = *spec.collects;
      }
      if (spec.collects == plan::Collect::dealing && i == 0) {
        parts.inputs.push_back(segment.map_consumer(rig_followed(spec), 2));
      }
      parts.stages = given.make();
      parts.faults.assign(parts.stages.size(), given.faults);
      parts.place = {.first = i == 0, .last = i + 1 == spec.segments.size()};
      parts.first_stage = first;
      if (given.in_runs) {
        parts.expected_item_ns = 0;
      }
      first += static_cast<std::uint32_t>(parts.stages.size());
      const shm::WorkerEnd& own = monitor_->end();
      parts.profile = own.profile.segments.at(i);
      if (own.checkpoints != nullptr) {
        parts.checkpoint_bytes = own.entry.checkpoint_bytes;
        parts.checkpoints = own.checkpoints + 2 * i * own.entry.checkpoint_bytes;
      }
      auto runner = std::make_unique<worker::SegmentRunner>(std::move(parts), *monitor_, letters);
      runners_.push_back(runner.get());
      owned_.push_back(std::move(runner));
    }
  }

  worker::SegmentRunner& runner(std::size_t index = 0) { return *runners_.at(index); }
  worker::Monitor& monitor() { return *monitor_; }
  /// REQUIRES: called once; the runners belong to it from then on.
  worker::Row& row() {
    if (!row_) {
      row_ = std::make_unique<worker::Row>(std::move(owned_));
    }
    return *row_;
  }

  KeptLetters letters;

 private:
  std::unique_ptr<worker::Monitor> monitor_;
  std::vector<std::unique_ptr<worker::SegmentRunner>> owned_;
  std::vector<worker::SegmentRunner*> runners_;
  std::unique_ptr<worker::Row> row_;
};

inline void put_end(shm::RingWriter& ring) {
  if (!ring.try_mark(shm::RecordKind::end, {})) {
    throw std::runtime_error("the input link of the test has no room for its end");
  }
}

/// Publishes items, and an end mark if `ended`.
inline void feed(const shm::Segment& segment, std::uint32_t link, const std::vector<std::string>& items,
                 bool ended = true) {
  shm::RingWriter ring(segment.map_producer(link));
  for (const std::string& item : items) {
    if (!put(ring, item, {.sequence = ring.next_number()})) {
      throw std::runtime_error("the input link of the test is too small");
    }
  }
  if (ended) {
    put_end(ring);
  }
  ring.commit({.inputs_done = ring.next_number()});
}

/// As feed(), each of `runs` in one record.
inline void feed_runs(const shm::Segment& segment, std::uint32_t link,
                      const std::vector<std::vector<std::string>>& runs, bool ended = true) {
  shm::RingWriter ring(segment.map_producer(link));
  for (const std::vector<std::string>& items : runs) {
    if (put_run(ring, items, {.sequence = ring.next_number()}) < items.size()) {
      throw std::runtime_error("the input link of the test is too small");
    }
  }
  if (ended) {
    put_end(ring);
  }
  ring.commit({.inputs_done = ring.next_number()});
}
inline void feed_run(const shm::Segment& segment, std::uint32_t link, const std::vector<std::string>& items) {
  feed_runs(segment, link, {items});
}

/// Publishes units as replicas give them, each closed by its last item (a tombstone if it has none), and an end mark.
inline void feed_units(const shm::Segment& segment, std::uint32_t link,
                       const std::vector<std::vector<std::string>>& units) {
  shm::RingWriter ring(segment.map_producer(link));
  bool room = true;
  for (const std::vector<std::string>& unit : units) {
    for (const std::string& item : unit) {
      room &= put(ring, item, {.sequence = ring.next_number()});
    }
    if (unit.empty()) {
      room &= ring.try_mark(shm::RecordKind::tombstone, {}, 1);
    } else {
      ring.set_closes(1);
    }
  }
  if (!(room & ring.try_mark(shm::RecordKind::end, {}))) {
    throw std::runtime_error("the input link of the test is too small");
  }
  ring.commit({.inputs_done = ring.next_number()});
}

/// Publishes what a segment follows: for which of two replicas each item is, and an end mark if `ended`.
inline void feed_dealing(const shm::Segment& segment, std::uint32_t link, const std::vector<std::uint32_t>& dealt,
                         bool ended = true) {
  std::uint64_t key = 0;
  shm::RingWriter ring(segment.map_producer(link), [&](std::span<const std::byte>) { return key; });
  bool room = true;
  for (const std::uint32_t to : dealt) {
    for (key = 0; shm::taker_of_key(key, 2) != to; ++key) {
    }
    room &= put(ring, "item", {.sequence = ring.next_number()});
  }
  if (!room || (ended && !ring.try_mark(shm::RecordKind::end, {}))) {
    throw std::runtime_error("the dealing link of the test is too small");
  }
  ring.commit({.inputs_done = ring.next_number()});
}

/// Every record of a link as text: "bytes", "#" for a tombstone, "$" for the end; "^n" behind what closes n rows.
inline std::vector<std::string> records_of(const shm::Segment& segment, std::uint32_t link, std::uint32_t index = 0) {
  shm::RingReader reader(segment.map_consumer(link, index), segment.map_consumer(link, index).own->read_number);
  std::vector<std::string> all;
  while (const shm::Record* record = reader.try_peek()) {
    std::string text = record->kind == shm::RecordKind::tombstone ? "#"
                       : record->kind == shm::RecordKind::end     ? "$"
                                                                  : text_of(*record);
    if (record->closes > 0) {
      text += "^" + std::to_string(record->closes);
    }
    all.push_back(std::move(text));
    reader.advance();
  }
  return all;
}

}  // namespace pystream::test
