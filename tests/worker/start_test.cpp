#include <gtest/gtest.h>

#include "worker/runner_support.hpp"
#include "worker/segment_runner.hpp"

/// When sources and sinks get start(), and when resume().
namespace pystream::worker::test {
namespace {

using pystream::test::feed;
using pystream::test::make_rig_segment;
using pystream::test::RiggedWorker;
using pystream::test::RigSpec;

struct Count {
  std::uint64_t items = 0;
};

/// Notes what is called.
class NotingSink final : public RawSink<Count> {
 public:
  explicit NotingSink(Texts& calls, bool fails = false) : calls_(calls), fails_(fails) {}
  void start() override {
    calls_.push_back("start");
    if (fails_) {
      throw Error("no place");
    }
  }
  void resume() override { calls_.push_back("resume " + std::to_string(cursor().items)); }
  void consume(const Item& in) override {
    calls_.push_back(pystream::test::text_of(in));
    ++cursor().items;
  }
  void cleanup() override { calls_.push_back("cleanup"); }

 private:
  Texts& calls_;
  bool fails_;
};

class NotingSource final : public RawSource<Count> {
 public:
  explicit NotingSource(Texts& calls) : calls_(calls) {}
  void start() override { calls_.push_back("start"); }
  void resume() override { calls_.push_back("resume " + std::to_string(cursor().items)); }
  bool produce(Output& out) override {
    pystream::test::emit_text(out, "x");
    return ++cursor().items < 3;
  }

 private:
  Texts& calls_;
};

/// A source whose base is no class of this library.
struct ForeignSource {
  using Cursor = NoCursor;
  bool produce(Output&) { return false; }
  void resume() {}
  void cleanup() {}
  NoCursor& cursor() { return none; }
  NoCursor none;
};

RigSpec sink_spec(Texts& calls, bool fails = false) {
  return {
      .segments = {{.make = [&calls, fails] { return one(detail::adapt(std::make_unique<NotingSink>(calls, fails))); },
                    .has_sink = true}}};
}

RigSpec source_spec(Texts& calls) {
  return {.segments = {{.make = [&calls] { return one(detail::adapt(std::make_unique<NotingSource>(calls))); },
                        .has_source = true}}};
}

TEST(StartTest, SinkStartsWithTheFirstItemAndNotBefore) {
  Texts calls;
  const RigSpec spec = sink_spec(calls);
  const shm::Segment segment = make_rig_segment(spec);
  RiggedWorker sut(segment, spec);
  EXPECT_FALSE(sut.runner().run_batch());
  EXPECT_EQ(calls, Texts{}) << "a run that fails while it starts must not have touched anything";
  feed(segment, 0, {"a", "b"});
  run_batches(sut);
  sut.runner().cleanup();
  EXPECT_EQ(calls, (Texts{"start", "a", "b", "cleanup"}));
}

TEST(StartTest, SinkOfARunWithoutItemsStartsAtItsEnd) {
  Texts calls;
  const RigSpec spec = sink_spec(calls);
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(calls, Texts{"start"});
  EXPECT_TRUE(sut.runner().ended());
  RiggedWorker again(segment, spec);  // it died in cleanup()
  again.row().run();
  again.row().cleanup();
  EXPECT_EQ(calls, (Texts{"start", "resume 0", "cleanup"}));
}

TEST(StartTest, RestartedSinkResumesWithItsCursor) {
  Texts calls;
  const RigSpec spec = sink_spec(calls);
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b"}, false);
  for (int life = 0; life < 3; ++life) {
    RiggedWorker sut(segment, spec);
    bool closed = false;
    sut.runner().run_one(closed);
  }
  EXPECT_EQ(calls, (Texts{"start", "a", "resume 1", "b", "resume 2"}));
}

TEST(StartTest, DeathBetweenStartAndItsCommitStartsAgain) {
  Texts calls;
  const RigSpec fails = sink_spec(calls, true);
  const shm::Segment segment = make_rig_segment(fails);
  feed(segment, 0, {"a"});
  for (int life = 0; life < 2; ++life) {
    RiggedWorker dying(segment, fails);
    EXPECT_THROW(dying.runner().run_batch(), StartFailed);
  }
  const RigSpec spec = sink_spec(calls);
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(calls, (Texts{"start", "start", "start", "a"}));
}

TEST(StartTest, DeathBetweenStartAndTheFirstItemResumes) {
  Texts calls;
  const RigSpec spec{.segments = {{.make =
                                       [&calls] {
                                         auto both = one(pystream::test::raw([](const Item& in, Output& out) {
                                           if (pystream::test::text_of(in) == "stop") {
                                             throw Stopped{};
                                           }
                                           out.forward(in);
                                         }));
                                         both.push_back(detail::adapt(std::make_unique<NotingSink>(calls)));
                                         return both;
                                       },
                                   .has_sink = true}}};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"stop"});
  for (int life = 0; life < 2; ++life) {
    RiggedWorker sut(segment, spec);
    EXPECT_THROW(sut.runner().run_batch(), Stopped);
  }
  EXPECT_EQ(calls, (Texts{"start", "resume 0"}));
}

TEST(StartTest, SourceStartsOnceAndThenResumes) {
  Texts calls;
  const RigSpec spec = source_spec(calls);
  const shm::Segment segment = make_rig_segment(spec);
  for (int life = 0; life < 3; ++life) {
    RiggedWorker sut(segment, spec);
    bool closed = false;
    sut.runner().run_one(closed);
  }
  EXPECT_EQ(calls, (Texts{"start", "resume 1", "resume 2"}));
}

TEST(StartTest, SourceThatDiesBeforeItsFirstCommitStartsAgain) {
  Texts calls;
  const RigSpec spec = source_spec(calls);
  const shm::Segment segment = make_rig_segment(spec);
  for (int life = 0; life < 2; ++life) {
    const RiggedWorker dead(segment, spec);  // nothing committed
  }
  EXPECT_EQ(calls, Texts{});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(calls, Texts{"start"});
}

TEST(StartTest, ClassWithoutTheHookIsFine) {
  const auto sut = detail::adapt(std::make_unique<ForeignSource>());
  sut->start();
  sut->resume();
}

}  // namespace
}  // namespace pystream::worker::test
