#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "workers/image_items.hpp"

namespace pystream::test {
namespace {

using opencv::Box;
using opencv::ImageBuilder;
using opencv::ImageHeader;
using opencv::ImageView;
using opencv::PlaneHeader;
using opencv::PlaneShape;

// ---- the item ----

TEST(ImageItemTest, KeepsPlanesAndBoxes) {
  const cv::Mat first = noise(7, 5, CV_8UC3);
  const cv::Mat second = noise(3, 11, CV_8UC1, 2);
  const std::vector<Box> boxes{{1, 2, 3, 4}, {-5, 6, 7, 8}};
  const std::string item = image_item({first, second}, boxes);
  const ImageView sut(bytes_of(item));
  ASSERT_EQ(sut.planes(), 2U);
  EXPECT_TRUE(same(sut.image(), first));
  EXPECT_TRUE(same(sut.plane(1), second));
  EXPECT_EQ(sut.boxes(), boxes);
}

TEST(ImageItemTest, ViewDoesNotCopyPixels) {
  const std::string item = image_item({noise(7, 5, CV_8UC3)});
  const ImageView sut(bytes_of(item));
  EXPECT_EQ(static_cast<const void*>(sut.image().data), item.data() + sizeof(ImageHeader) + sizeof(PlaneHeader));
}

TEST(ImageItemTest, GapsAreZeroed) {
  const std::string item = image_item({noise(1, 5, CV_8UC1)});
  EXPECT_EQ(item.size(), 48U);
  EXPECT_EQ(item.substr(37), std::string(11, '\0'));
}

TEST(ImageItemTest, EveryTruncationIsRefused) {
  const std::string item = image_item({noise(3, 5, CV_8UC3), noise(3, 5, CV_8UC1)}, {{1, 2, 3, 4}});
  for (std::size_t size = 0; size < item.size(); ++size) {
    EXPECT_THROW(ImageView(bytes_of(item).first(size)), PayloadError) << size;
  }
  EXPECT_THROW(ImageView(bytes_of(item + std::string(16, 'x'))), PayloadError);
}

TEST(ImageItemTest, AnyChangeOfItsHeaderIsSafe) {
  const std::string item = image_item({noise(3, 5, CV_8UC3), noise(3, 5, CV_8UC1)}, {{1, 2, 3, 4}});
  const std::size_t header = sizeof(ImageHeader) + 2 * sizeof(PlaneHeader);
  int refused = 0;
  for (std::size_t at = 0; at < header; ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = item;
      changed[at] = static_cast<char>(value);
      try {
        const ImageView view(bytes_of(changed));
        for (std::size_t i = 0; i < view.planes(); ++i) {
          cv::sum(view.plane(i));
        }
      } catch (const PayloadError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 5'000);
}

TEST(ImageItemTest, MessageSaysWhatIsWrongAndWhatToDo) {
  const std::string message = message_of([] { ImageView(bytes_of("hello, I am no image")); });
  EXPECT_EQ(message,
            "item of 20 bytes is no image: it does not start like one; put image.decode or video.read in front of this "
            "stage");
}

TEST(ImageItemTest, ImpossibleImagesAreNotMade) {
  CollectingOutput out;
  EXPECT_THROW(ImageBuilder(out, PlaneShape{0, 5, CV_8UC1}), PayloadError);
  EXPECT_THROW(ImageBuilder(out, PlaneShape{5, 5, CV_MAKETYPE(CV_8U, 5)}), PayloadError);
  EXPECT_THROW(ImageBuilder(out, std::vector<PlaneShape>(5, PlaneShape{1, 1, CV_8UC1})), PayloadError);
  EXPECT_THROW(ImageBuilder(out, std::vector<PlaneShape>{}), PayloadError);
}

TEST(ImageItemTest, EveryStageRefusesWhatIsNoImage) {
  for (const char* name : {"image.encode", "image.gray", "image.filter2d", "image.convolve", "image.background",
                           "image.morphology", "image.contours", "image.annotate"}) {
    auto sut = make_stage(name);
    for (const char* item : {"", "x", "this is longer than a header of an image"}) {
      EXPECT_THROW(answers(*sut, item), PayloadError) << name;
    }
  }
}

// ---- files ----

TEST(DecodeTest, GivesThePixels) {
  const cv::Mat image = noise(20, 30, CV_8UC3);
  std::vector<unsigned char> png;
  cv::imencode(".png", image, png);
  const std::string file(png.begin(), png.end());
  EXPECT_EQ(single(*make_stage("image.decode"), file), image_item({image}));
  EXPECT_EQ(ImageView(bytes_of(single(*make_stage("image.decode", {{"color", "gray"}}), file))).image().type(),
            CV_8UC1);
}

TEST(DecodeTest, BadFilesAreThatItemsError) {
  std::vector<unsigned char> png;
  cv::imencode(".png", noise(20, 30, CV_8UC3), png);
  auto sut = make_stage("image.decode");
  for (const std::string& item :
       {std::string(), std::string("x"), std::string(1'000, 'x'), std::string(png.begin(), png.begin() + 30)}) {
    EXPECT_THROW(answers(*sut, item), Error) << item.size();
  }
}

TEST(EncodeTest, PngComesBackUnchanged) {
  const std::string item = image_item({noise(20, 30, CV_8UC3)});
  const std::string file = single(*make_stage("image.encode", {{"format", "png"}}), item);
  EXPECT_EQ(file.substr(1, 3), "PNG");
  EXPECT_EQ(single(*make_stage("image.decode"), file), item);
}

TEST(EncodeTest, QualityMakesAJpgLarger) {
  const std::string item = image_item({noise(50, 50, CV_8UC3)});
  EXPECT_LT(single(*make_stage("image.encode", {{"quality", 10}}), item).size(),
            single(*make_stage("image.encode", {{"quality", 95}}), item).size());
}

// ---- size and colour ----

TEST(ResizeTest, KeepsTheAspectIfOneSideIsZero) {
  const std::string item = image_item({noise(60, 80, CV_8UC3)}, {{8, 6, 40, 30}});
  const std::string wide = single(*make_stage("image.resize", {{"width", 160}}), item);
  const ImageView sut(bytes_of(wide));
  EXPECT_EQ(sut.image().size(), cv::Size(160, 120));
  EXPECT_EQ(sut.boxes(), (std::vector<Box>{{16, 12, 80, 60}}));
  const std::string low = single(*make_stage("image.resize", {{"height", 30}, {"interpolation", "area"}}), item);
  EXPECT_EQ(ImageView(bytes_of(low)).image().size(), cv::Size(40, 30));
  const std::string odd = single(*make_stage("image.resize", {{"width", 7}, {"height", 9}}), item);
  EXPECT_EQ(ImageView(bytes_of(odd)).image().size(), cv::Size(7, 9));
}

TEST(ResizeTest, ThinImageKeepsAtLeastOnePixel) {
  const std::string out = single(*make_stage("image.resize", {{"width", 2}}), image_item({noise(1, 500, CV_8UC1)}));
  EXPECT_EQ(ImageView(bytes_of(out)).image().size(), cv::Size(2, 1));
}

TEST(ResizeTest, WithoutASizeIsRefused) {
  EXPECT_THROW(make_stage("image.resize"), InvalidParam);
}

TEST(GrayTest, KeepsTheOriginalIfAsked) {
  const cv::Mat image = noise(6, 8, CV_8UC3);
  cv::Mat gray;
  cv::cvtColor(image, gray, cv::COLOR_BGR2GRAY);
  EXPECT_EQ(single(*make_stage("image.gray"), image_item({image})), image_item({gray}));
  EXPECT_EQ(single(*make_stage("image.gray", {{"keep", true}}), image_item({image})), image_item({gray, image}));
}

TEST(GrayTest, GrayImageIsForwarded) {
  auto sut = make_stage("image.gray");
  CollectingOutput out;
  feed(*sut, image_item({noise(6, 8, CV_8UC1)}), out);
  EXPECT_TRUE(out.items().front().forwarded);
}

// ---- convolutions ----

TEST(ConvolveTest, FlatImageStaysFlat) {
  const std::string item = image_item({cv::Mat(20, 30, CV_8UC3, cv::Scalar(10, 20, 30))});
  for (const char* kernel : {"sharpen", "box", "gaussian"}) {
    EXPECT_EQ(single(*make_stage("image.convolve", {{"kernel", kernel}, {"size", 5}, {"repeat", 3}}), item), item)
        << kernel;
  }
}

TEST(ConvolveTest, SharpenIsWhatOpenCvMakesOfItsKernel) {
  const cv::Mat image = noise(20, 30, CV_8UC3);
  const cv::Mat kernel = (cv::Mat_<float>(3, 3) << -1, -1, -1, -1, 9, -1, -1, -1, -1);
  cv::Mat once;
  cv::Mat twice;
  cv::filter2D(image, once, -1, kernel);
  cv::filter2D(once, twice, -1, kernel);
  EXPECT_EQ(single(*make_stage("image.convolve"), image_item({image})), image_item({once}));
  EXPECT_EQ(single(*make_stage("image.convolve", {{"repeat", 2}}), image_item({image})), image_item({twice}));
  auto custom = make_stage("image.filter2d", {{"values", ParamList{-1, -1, -1, -1, 9.0, -1, -1, -1, -1}}});
  EXPECT_EQ(single(*custom, image_item({image})), image_item({once}));
}

TEST(ConvolveTest, OtherPlanesPass) {
  const cv::Mat kept = noise(4, 4, CV_8UC3, 5);
  const std::string out =
      single(*make_stage("image.filter2d"), image_item({noise(6, 8, CV_8UC1), kept}, {{1, 2, 3, 4}}));
  const ImageView sut(bytes_of(out));
  EXPECT_TRUE(same(sut.plane(1), kept));
  EXPECT_EQ(sut.boxes().size(), 1U);
}

TEST(ConvolveTest, BadKernelsAreRefused) {
  EXPECT_THROW(make_stage("image.convolve", {{"size", 4}}), InvalidParam);
  EXPECT_THROW(make_stage("image.filter2d", {{"values", ParamList{1, 2}}}), InvalidParam);
  EXPECT_THROW(make_stage("image.filter2d", {{"values", ParamList{1, 2, 3, 4}}}), InvalidParam);
  EXPECT_THROW(make_stage("image.filter2d", {{"values", ParamList{"1"}}}), InvalidParam);
}

// ---- motion ----

std::string gray_scene(int frame) {
  cv::Mat gray;
  cv::cvtColor(scene(frame), gray, cv::COLOR_BGR2GRAY);
  return image_item({gray});
}

TEST(BackgroundTest, FindsWhatMoves) {
  auto sut = make_stage("image.background");
  EXPECT_EQ(cv::countNonZero(ImageView(bytes_of(single(*sut, gray_scene(0)))).image()), 0);
  EXPECT_EQ(cv::countNonZero(ImageView(bytes_of(single(*sut, gray_scene(4)))).image()), 2 * 12 * 12);
}

TEST(BackgroundTest, StandingSceneBecomesBackground) {
  auto sut = make_stage("image.background", {{"rate", 0.2}});
  answers(*sut, gray_scene(0));
  std::string mask;
  for (int i = 0; i < 40; ++i) {
    mask = single(*sut, gray_scene(5));
  }
  EXPECT_EQ(cv::countNonZero(ImageView(bytes_of(mask)).image()), 0);
}

TEST(BackgroundTest, ReplayFromEveryCheckpointGivesTheSameBytes) {
  constexpr int kFrames = 8;
  auto whole = make_stage("image.background");
  Texts expected;
  std::vector<std::vector<std::byte>> checkpoints;
  for (int i = 0; i < kFrames; ++i) {
    const auto saved = whole->checkpoint()->saved_state();
    checkpoints.emplace_back(saved.begin(), saved.end());
    expected.push_back(single(*whole, gray_scene(i)));
  }
  for (int start = 0; start < kFrames; ++start) {
    auto sut = make_stage("image.background");
    sut->checkpoint()->restore_state(checkpoints[static_cast<std::size_t>(start)]);
    for (int i = start; i < kFrames; ++i) {
      ASSERT_EQ(single(*sut, gray_scene(i)), expected[static_cast<std::size_t>(i)]) << start << " " << i;
    }
  }
}

TEST(BackgroundTest, OtherSizeStartsAnew) {
  auto sut = make_stage("image.background");
  answers(*sut, gray_scene(0));
  const std::string out = single(*sut, image_item({noise(10, 10, CV_8UC1)}));
  EXPECT_EQ(cv::countNonZero(ImageView(bytes_of(out)).image()), 0);
  EXPECT_LE(sut->checkpoint()->saved_state().size(), 8U + 200U);
}

TEST(BackgroundTest, WantsGrayImages) {
  const std::string message = message_of([] { answers(*make_stage("image.background"), image_item({scene(0)})); });
  EXPECT_NE(message.find("got an image of 80x60 CV_8UC3, expected CV_8UC1; put image.gray in front"), message.npos)
      << message;
}

TEST(BackgroundTest, ImageTooLargeForTheModelIsAnError) {
  const std::string item = image_item({cv::Mat::zeros(6000, 6000, CV_8UC1)});
  const std::string message = message_of([&] { answers(*make_stage("image.background"), item); });
  EXPECT_NE(message.find("more than the 67108864"), message.npos) << message;
}

TEST(MorphologyTest, OpenRemovesSpecksAndCloseFillsHoles) {
  cv::Mat speck = cv::Mat::zeros(20, 20, CV_8UC1);
  speck.at<unsigned char>(10, 10) = 255;
  const std::string opened = single(*make_stage("image.morphology"), image_item({speck}));
  EXPECT_EQ(cv::countNonZero(ImageView(bytes_of(opened)).image()), 0);
  const cv::Mat hole = 255 - speck;
  const std::string closed = single(*make_stage("image.morphology", {{"op", "close"}}), image_item({hole}));
  EXPECT_EQ(cv::countNonZero(ImageView(bytes_of(closed)).image()), 400);
}

TEST(ContoursTest, BoxesRegionsAndBringsBackTheOriginal) {
  cv::Mat mask = cv::Mat::zeros(60, 80, CV_8UC1);
  cv::rectangle(mask, cv::Rect(40, 30, 20, 15), 255, cv::FILLED);
  cv::rectangle(mask, cv::Rect(5, 5, 12, 12), 255, cv::FILLED);
  cv::rectangle(mask, cv::Rect(70, 5, 3, 3), 255, cv::FILLED);
  const std::string out = single(*make_stage("image.contours"), image_item({mask, scene(0)}));
  const ImageView sut(bytes_of(out));
  EXPECT_EQ(sut.planes(), 1U);
  EXPECT_TRUE(same(sut.image(), scene(0)));
  EXPECT_EQ(sut.boxes(), (std::vector<Box>{{5, 5, 12, 12}, {40, 30, 20, 15}}));
}

TEST(ContoursTest, MaskStaysIfNothingWasKept) {
  const cv::Mat mask = cv::Mat::zeros(6, 8, CV_8UC1);
  EXPECT_EQ(single(*make_stage("image.contours"), image_item({mask})), image_item({mask}));
}

TEST(AnnotateTest, DrawsBoxesAlsoBeyondTheImage) {
  const std::string item =
      image_item({scene(0)}, {{10, 30, 20, 20}, {-5, -5, 1000, 1000}, {70, 50, 2147483647, 2147483647}});
  const std::string out = single(*make_stage("image.annotate", {{"label", false}}), item);
  const ImageView sut(bytes_of(out));
  EXPECT_EQ(sut.image().at<cv::Vec3b>(30, 15), cv::Vec3b(0, 255, 0));
  EXPECT_TRUE(sut.boxes().empty());
}

TEST(AnnotateTest, LabelChangesWithTheSequence) {
  auto sut = make_stage("image.annotate");
  const std::string item = image_item({scene(0)});
  EXPECT_NE(single(*sut, item, {.sequence = 1}), single(*sut, item, {.sequence = 2}));
}

// ---- together ----

TEST(MotionPipelineTest, DrawsABoxAroundTheMovingSquare) {
  auto gray = make_stage("image.gray", {{"keep", true}});
  auto background = make_stage("image.background");
  auto morphology = make_stage("image.morphology");
  auto contours = make_stage("image.contours", {{"min_area", 50}});
  auto annotate = make_stage("image.annotate");
  auto encode = make_stage("image.encode");
  for (int i = 0; i < 5; ++i) {
    const std::string boxed =
        single(*contours, single(*morphology, single(*background, single(*gray, image_item({scene(i * 5)})))));
    EXPECT_EQ(ImageView(bytes_of(boxed)).boxes().empty(), i == 0);
    EXPECT_EQ(single(*encode, single(*annotate, boxed)).substr(0, 2), "\xff\xd8");
  }
}

}  // namespace
}  // namespace pystream::test
