#include <opencv2/imgcodecs.hpp>

#include "workers/image_items.hpp"

namespace pystream::test {
namespace {

using opencv::ImageView;

struct Kind {
  const char* extension;
  std::vector<int> options{};
  int type = CV_8UC3;
};

std::ostream& operator<<(std::ostream& out, const Kind& kind) {
  return out << kind.extension << " with " << kind.options.size() / 2 << " options";
}

const std::vector<Kind>& jpegs() {
  static const std::vector<Kind> kJpegs{{".jpg"},
                                        {".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1}},
                                        {".jpg", {cv::IMWRITE_JPEG_RST_INTERVAL, 4}},
                                        {".jpg", {cv::IMWRITE_JPEG_OPTIMIZE, 1}, CV_8UC1}};
  return kJpegs;
}

const std::vector<Kind>& others() {
  static const std::vector<Kind> kOthers{
      {".png"},
      {".png", {}, CV_8UC1},
      {".png", {}, CV_16UC3},
      {".tiff"},
      {".tiff", {cv::IMWRITE_TIFF_COMPRESSION, 1}},
      {".tiff", {cv::IMWRITE_TIFF_COMPRESSION, 8}},
      {".webp"},
      {".webp", {cv::IMWRITE_WEBP_QUALITY, 60}},
      {".bmp"},
      {".ppm"},
      {".jp2"},
  };
  return kOthers;
}

std::string file_of(const Kind& kind) {
  cv::Mat image = noise(90, 130, kind.type) / 3;
  cv::rectangle(image, {30, 20, 50, 40}, cv::Scalar::all(200), cv::FILLED);
  std::vector<unsigned char> file;
  EXPECT_TRUE(cv::imencode(kind.extension, image, file, kind.options)) << kind;
  return {file.begin(), file.end()};
}

std::string message_for(const std::string& file, const char* damaged = "refuse") {
  auto sut = make_stage("image.decode", {{"damaged", damaged}});
  return message_of([&] { answers(*sut, file); });
}

TEST(ImageDamageTest, WholeFilesAreTaken) {
  for (const auto& kinds : {jpegs(), others()}) {
    for (const Kind& kind : kinds) {
      EXPECT_EQ(message_for(file_of(kind)), "") << kind;
      EXPECT_EQ(message_for(file_of(kind), "accept"), "") << kind;
    }
  }
}

TEST(ImageDamageTest, FileThatEndsEarlyIsRefused) {
  for (const auto& kinds : {jpegs(), others()}) {
    for (const Kind& kind : kinds) {
      const std::string file = file_of(kind);
      for (std::size_t part = 0; part < 40; ++part) {
        EXPECT_NE(message_for(file.substr(0, file.size() * part / 40)), "") << kind << ", " << part << "/40";
      }
      EXPECT_NE(message_for(file.substr(0, file.size() - 1)), "") << kind;
    }
  }
}

TEST(ImageDamageTest, JpegMessageSaysWhatAndWhatToDo) {
  const std::string file = file_of({".jpg"});
  const std::string message = message_for(file.substr(0, file.size() / 2));
  EXPECT_EQ(message,
            "image.decode: an item of " + std::to_string(file.size() / 2) +
                " bytes is a damaged image: Premature end of JPEG file; \"damaged\": \"accept\" takes what can "
                "be decoded of it");
}

TEST(ImageDamageTest, AcceptedJpegHasTheRowsBeforeTheCut) {
  const std::string file = file_of({".jpg"});
  const std::string whole = single(*make_stage("image.decode"), file);
  const std::string cut =
      single(*make_stage("image.decode", {{"damaged", "accept"}}), file.substr(0, file.size() * 3 / 4));
  const cv::Rect upper(0, 0, 130, 40);
  EXPECT_TRUE(same(ImageView(bytes_of(cut)).image()(upper), ImageView(bytes_of(whole)).image()(upper)));
}

TEST(ImageDamageTest, JpegWithZeroedMiddleIsRefused) {
  for (const Kind& kind : jpegs()) {
    std::string file = file_of(kind);
    std::fill(file.begin() + static_cast<std::ptrdiff_t>(file.size() / 2), file.end() - 200, '\0');
    EXPECT_NE(message_for(file).find("is a damaged image"), std::string::npos) << kind;
    EXPECT_EQ(message_for(file, "accept"), "") << kind;
  }
}

TEST(ImageDamageTest, BytesBehindTheEndAreNoDamage) {
  for (const auto& kinds : {jpegs(), others()}) {
    for (const Kind& kind : kinds) {
      EXPECT_EQ(message_for(file_of(kind) + std::string(50, 'x')), "") << kind;
    }
  }
}

TEST(ImageDamageTest, EveryChangedByteOfAPngIsSeen) {
  const std::string file = file_of({".png", {}, CV_8UC1});
  for (std::size_t at = 0; at < file.size(); at += 1 + file.size() / 500) {
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    EXPECT_NE(message_for(changed), "") << at;
  }
}

TEST(ImageDamageTest, WrongChecksumOfAPngsTextIsRefusedUnlessAccepted) {
  const std::string file = file_of({".png"});
  const std::size_t behind_header = 8 + 25;
  const std::string chunk("\0\0\0\x05tEXta\0bcd\x12\x34\x56\x78", 17);
  const std::string changed = file.substr(0, behind_header) + chunk + file.substr(behind_header);
  EXPECT_NE(message_for(changed).find("wrong checksum of a chunk tEXt"), std::string::npos);
  EXPECT_EQ(message_for(changed, "accept"), "");
}

TEST(ImageDamageTest, DamagedStripOfATiffIsRefused) {
  const std::string file = file_of({".tiff", {cv::IMWRITE_TIFF_COMPRESSION, 8}});  // Deflate, with a checksum
  int refused = 0;
  for (std::size_t at = 100; at < file.size() / 2; at += file.size() / 60) {
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    refused += message_for(changed).empty() ? 0 : 1;
  }
  EXPECT_GE(refused, 28);
}

TEST(ImageDamageTest, WhatIsNoImageIsRefusedEvenIfDamageIsAccepted) {
  std::string huge = file_of({".bmp"});
  huge.replace(18, 8, std::string("\xff\xff\xff\x7f\xff\xff\xff\x7f", 8));
  for (const std::string& item : {std::string(), std::string("x"), std::string("\xff\xd8\xff"),
                                  std::string("\x89PNG\r\n\x1a\n"), std::string(5000, '\0'), huge}) {
    EXPECT_NE(message_for(item), "") << item.size();
    EXPECT_NE(message_for(item, "accept"), "") << item.size();
  }
}

TEST(EncodeTest, WhatAFormatCannotHoldIsRefused) {
  auto jpg = make_stage("image.encode", {{"format", "jpg"}});
  auto png = make_stage("image.encode", {{"format", "png"}});
  for (const int type : {CV_16UC1, CV_16UC3, CV_8UC4, CV_8UC2, CV_32FC1, CV_32FC3, CV_8SC1}) {
    const std::string item = image_item({cv::Mat(8, 8, type, cv::Scalar::all(1))});
    EXPECT_THROW(answers(*jpg, item), PayloadError) << cv::typeToString(type);
  }
  for (const int type : {CV_8UC2, CV_32FC1, CV_32SC1, CV_64FC3}) {
    const std::string item = image_item({cv::Mat(8, 8, type, cv::Scalar::all(1))});
    EXPECT_THROW(answers(*png, item), PayloadError) << cv::typeToString(type);
  }
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_16UC3}) {
    const cv::Mat image = noise(8, 8, type);
    const std::string file = single(*png, image_item({image}));
    const cv::Mat read = cv::imdecode(std::vector<unsigned char>(file.begin(), file.end()), cv::IMREAD_UNCHANGED);
    EXPECT_TRUE(same(read, image)) << cv::typeToString(type);
  }
}

}  // namespace
}  // namespace pystream::test
