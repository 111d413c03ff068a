#include "base/number_text.hpp"

#include <gtest/gtest.h>

#include "base/escaped_text.hpp"

namespace pystream::base {
namespace {

TEST(NumberText, TimesAndNumbers) {
  EXPECT_EQ(time_text(0), "0.00 ns");
  EXPECT_EQ(time_text(999.6e-9), "1.00 us");
  EXPECT_EQ(time_text(0.0123), "12.3 ms");
  EXPECT_EQ(time_text(4000), "4000 s");
  EXPECT_EQ(number_text(999.6), "1.00 k");
  EXPECT_EQ(number_text(1'234'567), "1.23 M");
  EXPECT_EQ(percent_text(0.1234), "12.3 %");
  EXPECT_EQ(percent_text(0.1234, 0), "12 %");
  EXPECT_EQ(fixed_text(1e300, 0).size(), 301U);
}

TEST(NumberText, Sizes) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1), "1 byte");
  EXPECT_EQ(size_text(1023), "1023 bytes");
  EXPECT_EQ(size_text(1 << 20), "1 MiB");
  EXPECT_EQ(size_text(3 << 19), "1.5 MiB");
  EXPECT_EQ(size_text(std::uint64_t{1} << 40), "1024 GiB");
}

TEST(NumberText, Durations) {
  EXPECT_EQ(duration_text(7), "7ns");
  EXPECT_EQ(duration_text(20'000'000), "20ms");
  EXPECT_EQ(duration_text(1'500'000'000), "1.5s");
  EXPECT_EQ(duration_text(90'000'000'000), "1.5min");
}

TEST(NumberText, Counts) {
  EXPECT_EQ(count_text(1, "process"), "1 process");
  EXPECT_EQ(count_text(0, "link"), "0 links");
  EXPECT_EQ(count_text(4, "worker process"), "4 worker processes");
}

TEST(EscapedText, JsonAndHtml) {
  EXPECT_EQ(json_string("a\"\\\n"), "\"a\\\"\\\\\\u000a\"");
  EXPECT_EQ(html_text("<a & 'b'>"), "&lt;a &amp; &#39;b&#39;&gt;");
}

}  // namespace
}  // namespace pystream::base
