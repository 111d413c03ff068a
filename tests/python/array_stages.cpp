#include <array>
#include <cstdint>
#include <pystream/array.hpp>
#include <pystream/registry.hpp>
#include <span>

/// Stages of C++ that take and give numpy arrays, for tests/python.
namespace pystream::test {
namespace {

struct Invert final : Stage<Array> {
  static StageInfo describe() { return {.summary = "255 minus each element"}; }
  Array operator()(Array image) override {
    for (std::uint8_t& pixel : image.values<std::uint8_t>()) {
      pixel = static_cast<std::uint8_t>(255 - pixel);
    }
    return image;
  }
};

struct Mean final : RawStage {
  static StageInfo describe() {
    return {.summary = "mean of the elements, looked at where they lie", .output = "array"};
  }
  void operator()(const Item& in, Output& out) override {
    const ArrayView image(in.bytes());
    double sum = 0;
    for (const std::uint8_t pixel : image.values<std::uint8_t>()) {
      sum += pixel;
    }
    const std::array<double, 1> mean{sum / static_cast<double>(image.shape().elements())};
    out.emit(Array::of<double>({1}, std::span<const double>(mean)));
  }
};

PYSTREAM_STAGE("test.array.invert", Invert);
PYSTREAM_STAGE("test.array.mean", Mean);

}  // namespace
}  // namespace pystream::test
