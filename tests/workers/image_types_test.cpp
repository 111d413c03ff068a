#include "workers/image_items.hpp"

namespace pystream::test {
namespace {

using opencv::ImageView;

struct Sut {
  const char* name;
  ParamMap params{};
};

std::vector<Sut> suts() {
  return {{"image.resize", {{"width", 5}}},
          {"image.resize", {{"width", 3}, {"height", 200}, {"interpolation", "area"}}},
          {"image.resize", {{"height", 1}, {"interpolation", "cubic"}}},
          {"image.gray"},
          {"image.gray", {{"keep", true}}},
          {"image.convolve", {{"kernel", "box"}, {"size", 99}}},
          {"image.convolve", {{"repeat", 2}}},
          {"image.filter2d"},
          {"image.background"},
          {"image.morphology", {{"op", "close"}, {"size", 99}}},
          {"image.contours"},
          {"image.annotate"},
          {"image.encode"},
          {"image.encode", {{"format", "png"}}}};
}

/// Whatever OpenCV calls cannot do is an error of the item that names the stage and the kind of image.
TEST(ImageTypesTest, EveryKindOfImageIsTakenOrRefusedByName) {
  int taken = 0;
  for (const Sut& sut : suts()) {
    for (int depth = CV_8U; depth <= CV_64F; ++depth) {
      for (int channels = 1; channels <= 4; ++channels) {
        for (const cv::Size& size : {cv::Size(1, 1), cv::Size(3, 2), cv::Size(1, 70), cv::Size(40, 1)}) {
          const cv::Mat image(size, CV_MAKETYPE(depth, channels), cv::Scalar::all(1));
          const std::string kind = opencv::to_string(opencv::shape_of(image));
          auto stage = make_stage(sut.name, sut.params);
          try {
            EXPECT_EQ(answers(*stage, image_item({image})).size(), 1U) << sut.name << " " << kind;
            ++taken;
          } catch (const Error& refused) {
            EXPECT_NE(std::string(refused.what()).find(sut.name), std::string::npos) << refused.what();
            EXPECT_NE(std::string(refused.what()).find(kind), std::string::npos) << refused.what();
          }
        }
      }
    }
  }
  EXPECT_GT(taken, 500);
}

TEST(ImageTypesTest, MoreRegionsThanBoxesAreNotDroppedSilently) {
  cv::Mat mask = cv::Mat::zeros(600, 600, CV_8UC1);
  for (int y = 0; y < mask.rows; y += 2) {
    for (int x = 0; x < mask.cols; x += 2) {
      mask.at<unsigned char>(y, x) = 255;
    }
  }
  auto sut = make_stage("image.contours", {{"min_area", 0}});
  const std::string message = message_of([&] { answers(*sut, image_item({mask})); });
  EXPECT_NE(message.find("90000 regions"), std::string::npos) << message;
  EXPECT_NE(message.find("raise \"min_area\""), std::string::npos) << message;
}

TEST(ImageTypesTest, SidesThatAFormatCannotHaveAreRefused) {
  const std::string item = image_item({cv::Mat::zeros(1, 70'000, CV_8UC1)});
  const std::string message = message_of([&] { answers(*make_stage("image.encode"), item); });
  EXPECT_NE(message.find("70000x1"), std::string::npos) << message;
  EXPECT_EQ(answers(*make_stage("image.encode", {{"format", "png"}}), item).size(), 1U);
}

TEST(ImageTypesTest, ItemsThatBecomeTooLargeAreRefused) {
  const std::string item = image_item({cv::Mat::zeros(10, 10, CV_8UC1)});
  auto sut = make_stage("image.resize", {{"width", 4000}});
  CollectingOutput out(1'000'000);
  EXPECT_THROW(feed(*sut, item, out), ItemTooLarge);
  auto decode = make_stage("image.decode");
  EXPECT_THROW(
      feed(*decode, single(*make_stage("image.encode"), image_item({cv::Mat::zeros(2000, 2000, CV_8UC3)})), out),
      ItemTooLarge);
}

}  // namespace
}  // namespace pystream::test
