#include "base/codec.hpp"

#include <gtest/gtest.h>

namespace pystream::base {

struct CodecPart {
  std::string name;
  std::vector<std::pair<std::uint32_t, double>> pairs;
  bool operator==(const CodecPart&) const = default;
};
auto fields(MaybeConst<CodecPart> auto& part) {
  return std::tie(part.name, part.pairs);
}

struct CodecWhole {
  enum class Kind : std::uint8_t { first, second };
  Kind kind = Kind::first;
  std::optional<std::uint64_t> number;
  std::filesystem::path path;
  std::vector<CodecPart> parts;
  std::vector<std::uint64_t> counts = std::vector<std::uint64_t>(100);
  bool operator==(const CodecWhole&) const = default;
};
auto fields(MaybeConst<CodecWhole> auto& whole) {
  return std::tuple_cat(std::tie(whole.kind, whole.number, whole.path, whole.parts),
                        std::tuple(Sparse(whole.counts, 100)));
}

namespace {

const CodecWhole kWhole{
    .kind = CodecWhole::Kind::second,
    .number = 7,
    .path = "/tmp/x",
    .parts = {{.name = "a", .pairs = {{1, 0.5}, {2, -1}}}, {.name = std::string("\0b", 2), .pairs = {}}}};

TEST(Codec, StructsComeOutAsTheyWentIn) {
  const std::string bytes = Encoder().put(kWhole).put(CodecWhole{}).put("end").bytes();
  Decoder sut(bytes);
  EXPECT_EQ(sut.get<CodecWhole>(), kWhole);
  EXPECT_EQ(sut.get<CodecWhole>(), CodecWhole{});
  EXPECT_EQ(sut.get<std::string>(), "end");
  EXPECT_TRUE(sut.empty());
}

TEST(Codec, ACutMessageIsAnError) {
  const std::string bytes = Encoder().put(kWhole).bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(Decoder(std::string_view(bytes).substr(0, size)).get<CodecWhole>(), Error) << size;
  }
}

}  // namespace
}  // namespace pystream::base
