#include "support/pipeline_run.hpp"
#include "support/segment_of.hpp"
#include "system/fault_plan.hpp"

/// How much stands in front of a slow stage, and how long a run takes to end because of it.
namespace pystream::test {
namespace {

constexpr int kLines = 100'000;  ///< far more than fit in a link

class TimeBound : public ::testing::Test {
 protected:
  TimeBound() { folder_.write("in.txt", numbered_lines(0, kLines)); }

  /// Lines in front of a stage that takes 10 ms for each. Paths are absolute, as a PipelineRun begins elsewhere.
  std::string plan(const std::string& more = "") const {
    return R"({"source": {"type": "lines", "params": {"path": ")" + folder_ / "in.txt" +
           R"("}}, "stages": [{"name": "Slow", "type": "wait", "params": {"time": "10ms"}}],
             "sink": {"type": "file_writer", "params": {"path": ")" +
           folder_ / "out.txt" + "\"}}" + kNoProfile + more + "}";
  }
  std::uint64_t lines_out() const {
    const std::string out = folder_.read("out.txt");
    return static_cast<std::uint64_t>(std::ranges::count(out, '\n'));
  }
  /// Looks at the link in front of the stage until some lines have come out: the most that it held beyond what is
  /// allowed when so many items are done.
  template <class Allowed>
  std::int64_t most_excess(const PipelineRun& run, const Allowed& allowed) const {
    std::optional<shm::Segment> segment;
    wait_until([&] {
      try {
        segment.emplace(segment_of(run.pid()));
      } catch (const std::exception&) {  // it is not there yet
      }
      return segment.has_value();
    });
    const shm::SupervisorView view = segment->map_supervisor();
    const shm::SupervisorView::Link& link = view.links.front();
    std::int64_t most = 0;
    wait_until([&] {
      const std::uint64_t before = link.done_number();
      const std::uint64_t written = link.producer->written_number;
      const std::uint64_t done = link.done_number();
      most = std::max(most, static_cast<std::int64_t>(written - before) - static_cast<std::int64_t>(allowed(done)));
      return done >= 50;
    });
    return most;
  }

  const TempFolder folder_;
};

/// The limit is 8 at first. To double, all that it allows has to be done once more; to follow the speed, as much has to
/// be done. So it is never more than 8 above what is done.
std::uint64_t allowed(std::uint64_t done) {
  return 8 + done;
}

TEST_F(TimeBound, FewItemsStandInFrontOfASlowStage) {
  PipelineRun run(plan(), folder_);
  EXPECT_LE(most_excess(run, allowed), 0) << run.errors();
  EXPECT_FALSE(run.ended()) << run.errors();
}

TEST_F(TimeBound, WithoutItTheLinkFills) {
  PipelineRun run(plan(R"(, "links": {"capacity": {"time": "0s"}})"), folder_);
  EXPECT_GT(most_excess(run, allowed), 5'000) << run.errors();
}

TEST_F(TimeBound, ADrainLetsOutWhatIsInside) {
  PipelineRun run(plan(), folder_, {"--drain-timeout", "90s"});
  ASSERT_TRUE(wait_until([&] { return lines_out() > 20; })) << run.errors();
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  const std::uint64_t out = lines_out();
  EXPECT_LT(out, 5'000U) << "it stopped reading";
  EXPECT_EQ(folder_.read("out.txt"), numbered_lines(0, static_cast<int>(out)));
}

TEST_F(TimeBound, ADrainThatTakesTooLongSaysWhatItGaveUp) {
  PipelineRun run(plan(R"(, "links": {"capacity": {"time": "0s"}})"), folder_, {"--drain-timeout", "100ms"});
  ASSERT_TRUE(wait_until([&] { return lines_out() > 20; })) << run.errors();
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(), 130) << run.errors();
  const std::string errors = run.errors();
  EXPECT_CONTAINS(errors, "stopped, as the drain took longer than 100ms (--drain-timeout); gave up ");
  EXPECT_CONTAINS(errors, " in front of Slow");
  const std::uint64_t out = lines_out();
  EXPECT_EQ(folder_.read("out.txt"), numbered_lines(0, static_cast<int>(out))) << "what came out is whole";
}

}  // namespace
}  // namespace pystream::test
