#include "worker/row.hpp"

#include "support/child.hpp"
#include "worker/runner_support.hpp"

/// A serial row with a parallel child in it.
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

TEST(RowTest, AParallelChildHasOneItemAtATimeAndCloses) {
  const RigSpec spec = {.segments = {{.make = [] { return one(pass()); }}, {.make = [] { return one(pass()); }}}};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b"});
  RiggedWorker sut(segment, spec);
  bool closed = false;
  EXPECT_TRUE(sut.runner(0).run_one(closed));
  EXPECT_TRUE(closed);
  EXPECT_EQ(records_of(segment, 1), Texts{"a^1"});
  EXPECT_FALSE(sut.runner(1).run_one(closed)) << "the child has not answered";
}

/// The child of a row: takes link 1, gives link 2, in a process of its own.
void run_child_of_row(const shm::Segment& segment) {
  shm::RingReader reader(segment.map_consumer(1), 0);
  shm::RingWriter writer(segment.map_producer(2));
  for (bool ended = false; !ended;) {
    const shm::Record* record = reader.try_peek();
    if (record == nullptr) {
      reader.wait(0, kSecondNs);
      continue;
    }
    ended = record->kind == shm::RecordKind::end;
    const auto emit = [&](std::string_view text) {
      while (!put(writer, text)) {
        writer.wait(0, kSecondNs);
      }
    };
    if (record->kind == shm::RecordKind::item) {
      emit("<" + text_of(*record) + ">");
      writer.set_closes(record->closes);
    } else {
      while (!writer.try_mark(record->kind, {}, record->closes)) {
        writer.wait(0, kSecondNs);
      }
    }
    reader.advance();
    writer.commit({.inputs_done = record->number + 1});
    reader.release();
  }
}

TEST(RowTest, ItemsComeBackThroughTheChild) {
  const RigSpec spec = {.segments = {{.make = [] { return one(pass()); }}, {.make = [] { return one(pass()); }}}};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c"});
  Child worker([&] { RiggedWorker(segment, spec).row().run(); });
  Child child([&] { run_child_of_row(segment); });
  EXPECT_EQ(worker.wait(), 0);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(records_of(segment, 3), (Texts{"<a>", "<b>", "<c>", "$"}));
}

/// More outputs of one input than all links of the child hold: the row itself must take out what comes back.
TEST(RowTest, AFloodOfOutputsIntoTheChildIsNoDeadlock) {
  constexpr int kOutputs = 2000;
  const RigSpec spec = {.segments = {{.make =
                                          [] {
                                            return one(raw([](const Item&, Output& out) {
                                              for (int i = 0; i < kOutputs; ++i) {
                                                emit_text(out, std::to_string(i));
                                              }
                                            }));
                                          }},
                                     {.make = [] {
                                       return one(raw([](const Item& in, Output& out) {
                                         if (text_of(in) == "<1999>") {
                                           out.forward(in);
                                         }
                                       }));
                                     }}}};
  RigSpec wide = spec;
  wide.link.ring_bytes = 4096;
  const shm::Segment segment = make_rig_segment(wide);
  feed(segment, 0, {"a"});
  Child worker([&] { RiggedWorker(segment, spec).row().run(); });
  Child child([&] { run_child_of_row(segment); });
  shm::RingReader reader(segment.map_consumer(3), 0);
  Texts items;
  const Deadline deadline{std::chrono::seconds(30)};
  for (bool ended = false; !ended && !deadline.passed();) {
    const shm::Record* record = reader.try_peek();
    if (record == nullptr) {
      reader.release();
      reader.wait(0, kSecondNs);
      continue;
    }
    ended = record->kind == shm::RecordKind::end;
    if (record->kind == shm::RecordKind::item) {
      items.push_back(text_of(*record));
    }
    reader.advance();
  }
  EXPECT_FALSE(deadline.passed()) << "row and child wait for one another";
  EXPECT_EQ(items, Texts{"<1999>"});
}

}  // namespace
}  // namespace pystream::worker
