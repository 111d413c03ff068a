#include <gtest/gtest.h>

#include <cstring>
#include <pystream/array.hpp>
#include <pystream/error.hpp>
#include <string>
#include <vector>

namespace pystream {
namespace {

std::vector<std::byte> item_of(const Array& array) {
  std::vector<std::byte> item(Codec<Array>::size(array));
  Codec<Array>::encode(array, item);
  return item;
}

Array numbers() {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  return Array::of<float>({2, 3}, values);
}

TEST(ArrayTest, ComesBackAsItWas) {
  const Array array = numbers();
  const std::vector<std::byte> item = item_of(array);
  EXPECT_EQ(Codec<Array>::decode(item), array);
  const ArrayView view(item);
  EXPECT_EQ(view.shape().sizes, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(view.shape().strides, (std::vector<std::int64_t>{12, 4}));
  EXPECT_EQ(view.values<float>()[5], 6);
}

TEST(ArrayTest, ElementsLieAtAMultipleOfSixteen) {
  for (std::size_t dimensions = 0; dimensions <= ArrayShape::kMostDimensions; ++dimensions) {
    const Array array(ArrayShape::rows(element_type<double>(), std::vector<std::int64_t>(dimensions, 1)));
    const std::vector<std::byte> item = item_of(array);
    const ArrayView view(item);
    EXPECT_EQ((view.bytes().data() - item.data()) % 16, 0) << dimensions;
    EXPECT_EQ(view.bytes().size(), sizeof(double)) << dimensions;
  }
}

TEST(ArrayTest, MayHaveNoElements) {
  const Array array(ArrayShape::rows(element_type<int>(), {0, 5}));
  EXPECT_EQ(Codec<Array>::decode(item_of(array)), array);
}

TEST(ArrayTest, ColumnsKeepTheirOrder) {
  const Array array(ArrayShape::columns(element_type<std::int16_t>(), {2, 3}));
  const Array back = Codec<Array>::decode(item_of(array));
  EXPECT_EQ(back.shape().strides, (std::vector<std::int64_t>{2, 4}));
  EXPECT_THROW(back.values<std::int16_t>(), PayloadError);
}

TEST(ArrayTest, AnotherElementTypeIsRefusedWithBothNames) {
  try {
    numbers().values<double>();
    FAIL();
  } catch (const PayloadError& error) {
    EXPECT_STREQ(error.what(), "found an array of float32, expected one of float64");
  }
}

TEST(ArrayTest, ShapesWithGapsAreRefused) {
  ArrayShape shape = ArrayShape::rows(element_type<int>(), {2, 2});
  shape.strides[0] = 16;
  EXPECT_THROW(array_item_bytes(shape), PayloadError);
  shape.sizes = {-1, 2};
  EXPECT_THROW(array_item_bytes(shape), PayloadError);
  EXPECT_THROW(array_item_bytes(ArrayShape::rows({.kind = 'O', .bytes = 8}, {1})), PayloadError);
  const std::int64_t huge = std::int64_t{1} << 40;
  EXPECT_THROW(array_item_bytes(ArrayShape::rows(element_type<int>(), {huge, huge})), PayloadError);
}

TEST(ArrayTest, DamagedItemsAreRefused) {
  const std::vector<std::byte> whole = item_of(numbers());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(ArrayView(std::span(whole).first(size)), PayloadError) << size;
  }
  // Each byte of the heads and of the shape is looked at: with another value the item is no array, or another one of as
  // many bytes, never a read beyond it.
  for (std::size_t at = 0; at < 56; ++at) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::vector<std::byte> damaged = whole;
      damaged[at] = static_cast<std::byte>(value);
      try {
        const ArrayView view(damaged);
        EXPECT_EQ(view.bytes().size(), view.shape().bytes());
        EXPECT_LE(view.bytes().size(), damaged.size());
      } catch (const PayloadError&) {
      }
    }
  }
}

TEST(ArrayTest, WrongNumberOfValuesIsRefused) {
  const std::vector<int> values{1, 2, 3};
  EXPECT_THROW(Array::of<int>({2, 2}, values), PayloadError);
}

}  // namespace
}  // namespace pystream
