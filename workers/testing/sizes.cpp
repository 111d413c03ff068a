#include <algorithm>
#include <cstring>
#include <pystream/registry.hpp>

/// Items of every size there is trouble with.
namespace pystream::testing {
namespace {

struct SizesCursor {
  std::uint64_t next = 0;
};

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

/// The rare sizes first: of 100,000 items 5 have 16 MiB, 95 have 1 MiB, 9,900 have 4 KiB, the others 0, 1 or 64 bytes.
std::uint64_t size_of(std::uint64_t index) {
  if (index % 20'000 == 1'234) {
    return 16 * kMiB;
  }
  if (index % 1'000 == 234) {
    return kMiB;
  }
  if (index % 10 == 4) {
    return 4 * kKiB;
  }
  constexpr std::uint64_t kSmall[] = {0, 1, 64};
  return kSmall[index % 3];
}

/// Item n is a function of n alone.
class Sizes final : public RawSource<SizesCursor> {
 public:
  explicit Sizes(const Params& params) : count_(static_cast<std::uint64_t>(params.integer("count"))) {}

  static StageInfo describe() {
    return {
        .summary = "gives items of 0, 1 and 64 bytes, 4 KiB, 1 MiB and 16 MiB, the larger the fewer",
        .params = {{.name = "count", .type = ParamType::integer, .fallback = 100'000, .text = "how many", .min = 0}},
        .output = "bytes"};
  }

  bool produce(Output& out) override {
    const std::uint64_t index = cursor().next;
    if (index >= count_) {
      return false;
    }
    const std::uint64_t size = size_of(index);
    const std::span<std::byte> to = out.reserve(size);
    std::uint64_t word = index * 0x9e3779b97f4a7c15U;
    for (std::uint64_t at = 0; at < size; at += sizeof word) {
      std::memcpy(to.data() + at, &word, std::min<std::uint64_t>(sizeof word, size - at));
      word += 0xd1342543de82ef95U;
    }
    out.emit_reserved(size);
    cursor().next = index + 1;
    return true;
  }

 private:
  std::uint64_t count_;
};

PYSTREAM_STAGE("test.sizes", Sizes);

}  // namespace
}  // namespace pystream::testing
