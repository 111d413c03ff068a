#include "support/visits.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pystream::test {
namespace {

/// The places that are visited if a visit takes so long.
std::vector<std::uint64_t> visited(Visits& sut, std::uint64_t places, double took_s) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t place = 0; place < places; ++place) {
    const std::uint64_t before = sut.done();
    if (sut.is_due(place)) {
      sut.note(place, Visits::Seconds(took_s));
      all.push_back(place);
    }
    EXPECT_EQ(sut.done(), before + (!all.empty() && all.back() == place ? 1 : 0));
  }
  return all;
}

TEST(VisitsTest, EveryNthWhereTimeAllows) {
  Visits sut(100, 10, Visits::Seconds(1), 3);
  EXPECT_EQ(visited(sut, 100, 0.001), (std::vector<std::uint64_t>{3, 13, 23, 33, 43, 53, 63, 73, 83, 93}));
}

TEST(VisitsTest, FewerAndEvenlySpreadOnASlowMachine) {
  Visits sut(100'000, 10, Visits::Seconds(10));
  const std::vector<std::uint64_t> all = visited(sut, 100'000, 0.5);
  EXPECT_GE(all.size(), 18U);
  EXPECT_LE(all.size(), 21U);
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(all[i] - all[i - 1]), 5'000, 600);
  }
}

TEST(VisitsTest, OneHoweverLongItTakes) {
  Visits sut(100, 1, Visits::Seconds(1));
  EXPECT_EQ(visited(sut, 100, 60).size(), 1U);
}

TEST(VisitsTest, AMachineThatBecomesSlowHasFewerFromThenOn) {
  Visits sut(1'000, 1, Visits::Seconds(10));
  std::uint64_t done = 0;
  for (std::uint64_t place = 0; place < 1'000; ++place) {
    if (sut.is_due(place)) {
      sut.note(place, Visits::Seconds(place < 500 ? 0.001 : 1));
      done += place >= 500 ? 1 : 0;
    }
  }
  EXPECT_GE(done, 5U);
  EXPECT_LE(done, 40U);
}

}  // namespace
}  // namespace pystream::test
