#include "coord/oom_watch.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_folder.hpp"

namespace pystream::coord {
namespace {

class OomWatchTest : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = folder_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void set_system(int count) const {
    write("proc/vmstat", "nr_free_pages 5\noom_kill " + std::to_string(count) + "\n");
  }
  void set_group(const std::string& group, int count) const {
    write("sys/fs/cgroup/" + group + "memory.events", "low 0\noom 9\noom_kill " + std::to_string(count) + "\n");
  }
  static bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

  pystream::test::TempFolder folder_;
};

TEST_F(OomWatchTest, TheCountOfTheOwnGroupDecides) {
  write("proc/self/cgroup", "0::/user/session\n");
  set_group("user/session/", 2);
  set_system(7);
  OomWatch sut(folder_.path());
  EXPECT_EQ(sut.explain_kill(), "");
  set_system(8);
  EXPECT_EQ(sut.explain_kill(), "") << "that was in another group";
  set_group("user/session/", 3);
  EXPECT_TRUE(says(sut.explain_kill(), "probably by the kernel's out-of-memory killer"));
  EXPECT_EQ(sut.explain_kill(), "") << "the next one is another kill";
}

TEST_F(OomWatchTest, InAContainerTheGroupMayBeAtTheTop) {
  write("proc/self/cgroup", "0::/../../host/path\n");
  set_group("", 0);
  OomWatch sut(folder_.path());
  set_group("", 1);
  EXPECT_TRUE(says(sut.explain_kill(), "control group"));
}

TEST_F(OomWatchTest, VersionOneHasAControllerOfItsOwn) {
  write("proc/self/cgroup", "12:cpu,cpuacct:/a\n4:memory:/jobs/7\n0::/\n");
  write("sys/fs/cgroup/memory/jobs/7/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
  EXPECT_EQ(read_oom_counts(folder_.path()).group, 4U);
}

TEST_F(OomWatchTest, TheMachinesCountStandsInForAGroupsThatCannotBeRead) {
  set_system(1);
  OomWatch sut(folder_.path());
  EXPECT_EQ(sut.explain_kill(), "");
  set_system(2);
  EXPECT_TRUE(says(sut.explain_kill(), "on this machine"));
}

TEST_F(OomWatchTest, WhatIsNotKnownIsNotClaimed) {
  OomWatch sut(folder_.path());
  const std::string text = sut.explain_kill();
  EXPECT_TRUE(says(text, "perhaps")) << text;
  EXPECT_TRUE(says(text, "cannot be read")) << text;
}

}  // namespace
}  // namespace pystream::coord
