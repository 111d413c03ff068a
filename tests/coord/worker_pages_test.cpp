#include "coord/worker_pages.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pystream::coord {
namespace {

class WorkerPagesTest : public ::testing::Test {
 protected:
  WorkerPages pages() const { return supervisor_.workers[0]; }
  void start(const StartWorker& start) { write_start(*pages().control, start, 0); }
  /// As the worker does once it is there.
  void attach() { page().incarnation.store(pages().control->incarnation.load() + 1); }
  shm::WorkerPage& page() { return *worker_.page; }
  std::string death() const { return {pages().control->death_text.data(), pages().control->death_bytes}; }

 private:
  shm::Segment segment_ = shm::Segment::create({.workers = {{}}, .links = {}, .plan = ""});
  shm::SupervisorView supervisor_ = segment_.map_supervisor();
  shm::WorkerEnd worker_ = segment_.map_worker(0);
};

TEST_F(WorkerPagesTest, APredecessorsPageSaysNothingOfThisStart) {
  start({});
  attach();
  page().phase.store(static_cast<std::uint32_t>(shm::Phase::finished));
  page().commits.store(7);
  EXPECT_TRUE(is_ready(pages()));
  EXPECT_TRUE(read_view(pages()).finished);

  start({.incarnation = 1});
  EXPECT_FALSE(is_attached(pages()));
  EXPECT_FALSE(is_ready(pages()));
  EXPECT_FALSE(read_view(pages()).finished);
  EXPECT_EQ(read_view(pages()).commits, 7U) << "counted over all starts";
}

TEST_F(WorkerPagesTest, AFailureIsReadNoFurtherThanItsPlace) {
  start({});
  attach();
  page().failure_kind.store(static_cast<std::uint32_t>(shm::FailureKind::item));
  page().failure_text.fill('x');
  page().failure_bytes = ~0U;
  EXPECT_EQ(read_view(pages()).failure, std::string(shm::kFailureText, 'x'));
}

TEST_F(WorkerPagesTest, ADeathThatIsTooLongLosesWholeLines) {
  const std::string line(100, 'x');
  std::string stack = line;
  for (int i = 0; i < 30; ++i) {
    stack += "\n" + line;
  }
  start({.death = "it hung", .stack = stack});
  EXPECT_LE(death().size(), shm::kDeathText);
  EXPECT_TRUE(death().starts_with("it hung\nxxx"));
  EXPECT_TRUE(death().ends_with("\n" + line));
}

}  // namespace
}  // namespace pystream::coord
