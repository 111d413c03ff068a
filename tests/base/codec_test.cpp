#include "base/codec.hpp"

#include <gtest/gtest.h>

namespace pystream::base {
namespace {

enum class Color : std::uint8_t { red, green };

struct Part {
  int number = 0;
  std::optional<std::uint64_t> sequence;
  static void fields(auto& self, auto& code) { code(self.number, self.sequence); }
  bool operator==(const Part&) const = default;
};

struct Whole {
  std::string text;
  std::filesystem::path path;
  Color color = Color::red;
  bool flag = false;
  double share = 0;
  std::vector<Part> parts;
  std::vector<std::pair<std::uint32_t, std::string>> pairs;
  std::vector<std::uint64_t> counts = std::vector<std::uint64_t>(100);
  static void fields(auto& self, auto& code) {
    code(self.text, self.path, self.color, self.flag, self.share, self.parts, self.pairs);
    code(Sparse{self.counts, 100});
  }
  bool operator==(const Whole&) const = default;
};

Whole make_whole() {
  return {.text = std::string("a\0b", 3),
          .path = "/tmp/x",
          .color = Color::green,
          .flag = true,
          .share = 0.5,
          .parts = {{.number = -1, .sequence = 7}, {.number = 2, .sequence = {}}},
          .pairs = {{1, "one"}, {2, ""}}};
}

TEST(CodecTest, MessagesComeOutAsTheyWentIn) {
  EXPECT_EQ(decode<Whole>(encode(make_whole())), make_whole());
  EXPECT_EQ(decode<Whole>(encode(Whole())), Whole());
}

TEST(CodecTest, FieldsOneByOne) {
  const std::string bytes = Encoder().put("text").put(7U).bytes();
  Decoder sut(bytes);
  EXPECT_EQ(sut.get<std::string>(), "text");
  EXPECT_FALSE(sut.empty());
  EXPECT_EQ(sut.get<unsigned>(), 7U);
  EXPECT_TRUE(sut.empty());
}

TEST(CodecTest, ACutMessageIsAnError) {
  const std::string bytes = encode(make_whole());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(decode<Whole>(std::string_view(bytes).substr(0, size)), Error) << size;
  }
}

}  // namespace
}  // namespace pystream::base
