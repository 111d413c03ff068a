#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace pystream::cli {
namespace {

TEST(Text, Sizes) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1), "1 byte");
  EXPECT_EQ(size_text(1023), "1023 bytes");
  EXPECT_EQ(size_text(1 << 20), "1 MiB");
  EXPECT_EQ(size_text(3 << 19), "1.5 MiB");
  EXPECT_EQ(size_text(std::uint64_t{1} << 40), "1024 GiB");
}

TEST(Text, Durations) {
  EXPECT_EQ(duration_text(7), "7ns");
  EXPECT_EQ(duration_text(20'000'000), "20ms");
  EXPECT_EQ(duration_text(1'500'000'000), "1.5s");
  EXPECT_EQ(duration_text(90'000'000'000), "1.5min");
}

TEST(Text, Counts) {
  EXPECT_EQ(count_text(1, "process"), "1 process");
  EXPECT_EQ(count_text(0, "link"), "0 links");
  EXPECT_EQ(count_text(4, "worker process"), "4 worker processes");
}

TEST(Text, Tables) {
  EXPECT_EQ(table({{"a", "bb"}, {"├─", "c", "d"}}, 1), " a   bb\n ├─  c   d\n");
  EXPECT_EQ(table({}, 2), "");
}

}  // namespace
}  // namespace pystream::cli
