#include "setup/item_key.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace pystream::setup {
namespace {

/// The key function of a link to replicas with this key.
shm::KeyOf sut_of(plan::ItemKey key) {
  plan::Node node;
  node.share = {.by = ShareBy::key, .key = std::move(key), .call = {}};
  return key_of({.name = {}, .producer = {}, .sharing = Sharing::key, .shared_by = &node});
}

std::uint64_t key_in(const shm::KeyOf& sut, std::string_view item) {
  return sut(std::as_bytes(std::span(item)));
}

TEST(ItemKeyTest, OtherLinksHaveNone) {
  EXPECT_FALSE(key_of({.name = {}, .producer = {}, .sharing = Sharing::turn}));
}

TEST(ItemKeyTest, OfTheWholeItem) {
  const shm::KeyOf sut = sut_of({});
  EXPECT_EQ(key_in(sut, "a b"), key_in(sut, "a b"));
  EXPECT_NE(key_in(sut, "a b"), key_in(sut, "a c"));
}

TEST(ItemKeyTest, OfAColumnBetweenWhiteSpace) {
  const shm::KeyOf sut = sut_of({.in = plan::ItemKey::In::column, .column = 2});
  EXPECT_EQ(key_in(sut, "1 oslo 7"), key_in(sut, "  2\toslo\n"));
  EXPECT_NE(key_in(sut, "1 oslo 7"), key_in(sut, "1 rome 7"));
  EXPECT_EQ(key_in(sut, "1"), key_in(sut, "")) << "too few columns: the empty key";
  EXPECT_EQ(key_in(sut, "1 "), key_in(sut, ""));
}

TEST(ItemKeyTest, OfAColumnBetweenSeparators) {
  const shm::KeyOf sut = sut_of({.in = plan::ItemKey::In::column, .column = 2, .separator = ", "});
  EXPECT_EQ(key_in(sut, "1, oslo, 7"), key_in(sut, "2, oslo"));
  EXPECT_NE(key_in(sut, "1, oslo, 7"), key_in(sut, "1, , 7"));
  EXPECT_EQ(key_in(sut, "1, , 7"), key_in(sut, "1"));
  EXPECT_EQ(key_in(sut_of({.in = plan::ItemKey::In::column, .column = 1, .separator = ","}), "a,b"),
            key_in(sut_of({}), "a"));
}

TEST(ItemKeyTest, OfBytesAtAPlace) {
  const shm::KeyOf sut = sut_of({.in = plan::ItemKey::In::bytes, .offset = 2, .bytes = 3});
  EXPECT_EQ(key_in(sut, "..abc.."), key_in(sut, "--abc"));
  EXPECT_NE(key_in(sut, "..abc"), key_in(sut, "..abd"));
  EXPECT_NE(key_in(sut, "..abc"), key_in(sut, "..ab")) << "what there is of it";
  EXPECT_EQ(key_in(sut, ".."), key_in(sut, ""));
}

TEST(ItemKeyTest, OfAValueInJson) {
  const shm::KeyOf sut = sut_of({.in = plan::ItemKey::In::json, .pointer = "/user/ids/1"});
  EXPECT_EQ(key_in(sut, R"({"user": {"ids": [1, "x"]}})"), key_in(sut, R"({"n": 2, "user": {"ids": [5, "x", 3]}})"));
  EXPECT_NE(key_in(sut, R"({"user": {"ids": [1, "x"]}})"), key_in(sut, R"({"user": {"ids": [1, "y"]}})"));
  for (const char* without : {"{", "[]", R"({"user": {"ids": [1]}})", R"({"user": {"ids": {"2": 1}}})", "7"}) {
    EXPECT_EQ(key_in(sut, without), key_in(sut, "")) << without;
  }
}

TEST(ItemKeyTest, OfAJsonValueWhoseNameIsEscaped) {
  const shm::KeyOf sut = sut_of({.in = plan::ItemKey::In::json, .pointer = "/a~1b~0c"});
  EXPECT_EQ(key_in(sut, R"({"a/b~c": 1})"), key_in(sut, R"({"a/b~c": 1, "d": 2})"));
  EXPECT_NE(key_in(sut, R"({"a/b~c": 1})"), key_in(sut, R"({"a/b~c": 2})"));
}

TEST(ItemKeyTest, OfTheWholeJsonDocument) {
  const shm::KeyOf sut = sut_of({.in = plan::ItemKey::In::json, .pointer = ""});
  EXPECT_EQ(key_in(sut, R"({"a": 1})"), key_in(sut, R"( {"a":1} )"));
}

}  // namespace
}  // namespace pystream::setup
