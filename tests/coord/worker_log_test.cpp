#include "coord/worker_log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace pystream::coord {
namespace {

using Lines = std::vector<std::string>;

class WorkerLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
  }
  void write(const std::string& text) {
    ASSERT_EQ(::write(write_end_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  bool read() { return sut_.read(read_end_.get(), on_line_); }

  WorkerLog sut_;
  Lines lines_;
  WorkerLog::OnLine on_line_ = [this](const std::string& line) { lines_.push_back(line); };
  base::UniqueFd read_end_;
  base::UniqueFd write_end_;
};

TEST_F(WorkerLogTest, ALineIsPassedOnWhenItIsComplete) {
  write("one\ntw");
  EXPECT_TRUE(read());
  EXPECT_EQ(lines_, Lines{"one"});
  write("o\n\n");
  EXPECT_TRUE(read());
  EXPECT_EQ(lines_, (Lines{"one", "two", ""}));
}

TEST_F(WorkerLogTest, TheEndIsReportedAndPassesOnTheRest) {
  write("last words");
  write_end_.reset();
  EXPECT_FALSE(read());
  EXPECT_EQ(lines_, Lines{});
  sut_.finish(on_line_);
  sut_.finish(on_line_);
  EXPECT_EQ(lines_, Lines{"last words"}) << "once";
}

TEST_F(WorkerLogTest, ALineThatIsTooLongIsPassedOnInParts) {
  write(std::string(5000, 'x') + "\n");
  EXPECT_TRUE(read());
  EXPECT_EQ(lines_, (Lines{std::string(4096, 'x'), std::string(904, 'x')}));
}

TEST_F(WorkerLogTest, KeepsTheLastLinesUntilTheyAreTaken) {
  for (int i = 0; i < 30; ++i) {
    write(std::to_string(i) + "\n");
  }
  EXPECT_TRUE(read());
  EXPECT_EQ(lines_.size(), 30U);
  EXPECT_EQ(sut_.take_last_lines(), Lines(lines_.end() - 20, lines_.end()));
  EXPECT_EQ(sut_.take_last_lines(), Lines{});
}

}  // namespace
}  // namespace pystream::coord
