#include "shm/references.hpp"

#include <gtest/gtest.h>

namespace pystream::shm {
namespace {

TEST(ReferencesTest, TheOldestInputIsThatOfTheFirstRecordNotReleased) {
  References sut;
  EXPECT_FALSE(sut.any());
  EXPECT_EQ(sut.oldest_input(), std::nullopt);
  sut.add(64, 3);
  sut.add(128, 5);
  EXPECT_EQ(sut.oldest_input(), 3U);
  sut.release_before(63);
  EXPECT_EQ(sut.oldest_input(), 3U) << "its record is not released";
  sut.release_before(64);
  EXPECT_EQ(sut.oldest_input(), 5U);
  sut.release_before(200);
  EXPECT_FALSE(sut.any());
}

TEST(ReferencesTest, WhatIsRolledBackNeverReferred) {
  References sut;
  sut.add(64, 3);
  sut.add(128, 5);
  sut.rollback_to(64);
  sut.release_before(0);
  EXPECT_EQ(sut.oldest_input(), 3U);
  sut.rollback_to(0);
  EXPECT_FALSE(sut.any());
}

}  // namespace
}  // namespace pystream::shm
