#include "profile/histogram.hpp"

#include <gtest/gtest.h>

namespace pystream::profile {
namespace {

TEST(Histogram, NothingHasNoPercentiles) {
  EXPECT_FALSE(rank_of(std::vector<double>(shm::kBuckets), 0.5));
  EXPECT_EQ(percentile_s(std::vector<std::uint64_t>(shm::kBuckets), 0.5, 7), 0);
  EXPECT_EQ(percentile_s({}, 0.5, 7), 0);
}

TEST(Histogram, PercentilesAreTheMiddlesOfBuckets) {
  std::vector<std::uint64_t> histogram(shm::kBuckets);
  histogram[5] = 90;
  histogram[shm::bucket_of(1'000)] = 10;
  EXPECT_DOUBLE_EQ(percentile_s(histogram, 0.9, 2'000), 5e-9);
  EXPECT_NEAR(percentile_s(histogram, 0.91, 2'000), 1'000e-9, 1'000e-9 / 32);
  EXPECT_DOUBLE_EQ(percentile_s(histogram, 0.99, 1'000), 1'000e-9) << "no larger than the largest item";
}

TEST(Histogram, InterpolationSpreadsTheItemsOfABucket) {
  std::vector<double> histogram(shm::kBuckets);
  histogram[5] = 100;
  EXPECT_DOUBLE_EQ(interpolated_percentile_s(histogram, 0.25), 5.25e-9);
  EXPECT_DOUBLE_EQ(interpolated_percentile_s(histogram, 1), 6e-9);
}

}  // namespace
}  // namespace pystream::profile
