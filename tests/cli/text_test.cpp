#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace pystream::cli {
namespace {

TEST(Text, TimesHaveNoPartsOfANanosecond) {
  EXPECT_EQ(pretty_time(0), "0 ns");
  EXPECT_EQ(pretty_time(45.4e-9), "45 ns");
  EXPECT_EQ(pretty_time(999.6e-9), "1.00 us");
  EXPECT_EQ(pretty_time(0.0123), "12.3 ms");
}

TEST(Text, WholeCountsStayWhole) {
  EXPECT_EQ(pretty_count(999), "999");
  EXPECT_EQ(pretty_count(4.5), "4.50");
  EXPECT_EQ(pretty_count(1'234'567), "1.23 M");
}

TEST(Text, Tables) {
  EXPECT_EQ(table({{"a", "bb"}, {"├─", "c", "d"}}, 1), " a   bb\n ├─  c   d\n");
  EXPECT_EQ(table({}, 2), "");
}

}  // namespace
}  // namespace pystream::cli
