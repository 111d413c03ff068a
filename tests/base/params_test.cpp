#include <gtest/gtest.h>

#include <limits>
#include <pystream/error.hpp>
#include <pystream/params.hpp>

namespace pystream {
namespace {

using namespace std::chrono_literals;

TEST(ParseSizeTest, BareNumbersAreBytes) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("0"), 0U);
}

TEST(ParseSizeTest, UnitsOf1000And1024) {
  EXPECT_EQ(parse_size("64MiB"), 64U << 20U);
  EXPECT_EQ(parse_size("1.5 GB"), 1'500'000'000U);
  EXPECT_EQ(parse_size("1 KiB"), 1024U);
  EXPECT_EQ(parse_size("2kB"), 2000U);
  EXPECT_EQ(parse_size("1TiB"), std::uint64_t{1} << 40U);
  EXPECT_EQ(parse_size("3M"), 3U << 20U);
  EXPECT_EQ(parse_size("1e3B"), 1000U);
}

TEST(ParseSizeTest, WholeNumbersAreExact) {
  EXPECT_EQ(parse_size("9007199254740993"), 9007199254740993U);
  EXPECT_EQ(parse_size("9223372036854775807"), std::uint64_t{std::numeric_limits<std::int64_t>::max()});
}

TEST(ParseSizeTest, RejectsWhatIsNoSize) {
  for (const char* text : {"", " ", "MiB", "-1", "-0", "+1", "5 apples", "64mib", "1,5", "nan", "inf", "0x10", " 5",
                           "5 MiB ", "1.2.3", "."}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(ParseSizeTest, RejectsWhatDoesNotFit) {
  for (const char* text : {"9223372036854775808", "99999999999999999999", "1e30", "1e400", "9000000000GiB", "1e18GB"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(ParseDurationTest, Units) {
  EXPECT_EQ(parse_duration("20ms"), 20ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("1.5min"), 90s);
  EXPECT_EQ(parse_duration("100us"), 100us);
  EXPECT_EQ(parse_duration("100\u00b5s"), 100us);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("7 ns"), 7ns);
}

TEST(ParseDurationTest, WholeNumbersAreExact) {
  EXPECT_EQ(parse_duration("9223372036854775807ns"), std::chrono::nanoseconds::max());
}

TEST(ParseDurationTest, RequiresAUnit) {
  for (const char* text : {"5", "", "s", "5 seconds", "-1s", "5S", "1e300h", "1e10h"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(ParamsTest, SetReplacesAndAppends) {
  Params sut;
  sut.set("a", 1);
  sut.set("b", "x");
  sut.set("a", 2);
  EXPECT_EQ(sut.integer("a"), 2);
  EXPECT_EQ(sut.string("b"), "x");
  EXPECT_EQ(sut.values().size(), 2U);
  EXPECT_TRUE(sut.has("a"));
  EXPECT_FALSE(sut.has("c"));
}

TEST(ParamsTest, EachTypeComesBack) {
  const Params sut(ParamMap{{"flag", ParamValue(true)},
                            {"count", ParamValue(3)},
                            {"ratio", ParamValue(0.5)},
                            {"size", ParamValue(4096)},
                            {"time", ParamValue(std::int64_t{5'000'000'000})},
                            {"words", ParamList{ParamValue("a"), ParamValue("b")}}});
  EXPECT_TRUE(sut.boolean("flag"));
  EXPECT_EQ(sut.integer("count"), 3);
  EXPECT_DOUBLE_EQ(sut.number("ratio"), 0.5);
  EXPECT_DOUBLE_EQ(sut.number("count"), 3.0);
  EXPECT_EQ(sut.bytes("size"), 4096U);
  EXPECT_EQ(sut.duration("time"), 5s);
  EXPECT_EQ(sut.list("words").size(), 2U);
  EXPECT_EQ(sut.strings("words"), (std::vector<std::string>{"a", "b"}));
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const InvalidParam& error) {
    return error.what();
  }
  return {};
}

TEST(ParamsTest, MissingAndWrongTypesSayWhatWasExpected) {
  const Params sut(ParamMap{{"count", ParamValue(3)}, {"mixed", ParamList{ParamValue("a"), ParamValue(1)}}});
  EXPECT_EQ(message_of([&] { sut.integer("cuont"); }), "parameter \"cuont\" is missing: expected an integer");
  EXPECT_EQ(message_of([&] { sut.string("count"); }), "parameter \"count\" has the wrong type: expected a string");
  EXPECT_EQ(message_of([&] { sut.strings("mixed"); }),
            "parameter \"mixed\" has the wrong type: expected a list of strings");
  EXPECT_THROW(sut.boolean("count"), InvalidParam);
  EXPECT_THROW(sut.number("mixed"), InvalidParam);
  EXPECT_THROW(sut.list("count"), InvalidParam);
}

TEST(ParamsTest, NegativeSizesAreNoSizes) {
  const Params sut(ParamMap{{"size", ParamValue(-1)}});
  EXPECT_THROW(sut.bytes("size"), InvalidParam);
}

TEST(ParamValueTest, EqualityLooksAtTypeAndDepth) {
  const ParamValue sut = ParamMap{{"a", ParamList{ParamValue(1), ParamValue("x")}}};
  EXPECT_EQ(sut, ParamValue(ParamMap{{"a", ParamList{ParamValue(1), ParamValue("x")}}}));
  EXPECT_FALSE(sut == ParamValue(ParamMap{{"a", ParamList{ParamValue(1.0), ParamValue("x")}}}));
  EXPECT_EQ(ParamValue(), ParamValue());
  EXPECT_FALSE(ParamValue() == ParamValue(false));
}

TEST(ParamTypeTest, NamesAreThoseOfCatalogs) {
  EXPECT_EQ(to_string(ParamType::boolean), "boolean");
  EXPECT_EQ(to_string(ParamType::duration), "duration");
  EXPECT_EQ(to_string(ParamType::any), "any");
}

TEST(DescriptorNamedTest, KnowsTheNamesOfDescriptors) {
  EXPECT_EQ(descriptor_named("/dev/stdin"), 0);
  EXPECT_EQ(descriptor_named("/dev/stdout"), 1);
  EXPECT_EQ(descriptor_named("/dev/stderr"), 2);
  EXPECT_EQ(descriptor_named("/dev/fd/63"), 63);
  EXPECT_EQ(descriptor_named("/proc/self/fd/1"), 1);
  EXPECT_EQ(descriptor_named("/proc/thread-self/fd/12"), 12);
  for (const char* other : {"", "-", "/dev/fd", "/dev/fd/", "/dev/fd/x", "/dev/fd/1x", "/dev/fd/-1", "/dev/fd/+1",
                            "dev/fd/1", "/dev/fd/99999999999", "/dev/stdout2", "/proc/1/fd/1"}) {
    EXPECT_EQ(descriptor_named(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace pystream
