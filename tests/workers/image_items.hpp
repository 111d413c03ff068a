#pragma once

#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "opencv/image.hpp"
#include "support/stage_driver.hpp"
#include "support/temp_folder.hpp"

/// Image items of tests.
namespace pystream::test {

using Texts = std::vector<std::string>;

inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

inline std::string image_item(const std::vector<cv::Mat>& planes, const std::vector<opencv::Box>& boxes = {}) {
  CollectingOutput out;
  std::vector<opencv::PlaneShape> shapes;
  for (const cv::Mat& plane : planes) {
    shapes.push_back(opencv::shape_of(plane));
  }
  opencv::ImageBuilder builder(out, shapes, boxes.size());
  for (std::size_t i = 0; i < planes.size(); ++i) {
    builder.put(i, planes[i]);
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    builder.set_box(i, boxes[i]);
  }
  builder.emit();
  return out.items().front().bytes;
}

inline cv::Mat noise(int rows, int cols, int type, int seed = 1) {
  cv::RNG random(static_cast<std::uint64_t>(seed));
  cv::Mat image(rows, cols, type);
  random.fill(image, cv::RNG::UNIFORM, 0, 256);
  return image;
}

inline bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0;
}

inline std::string single(StageAdapter& stage, const std::string& item, Item::Tag tag = {}) {
  const Texts out = answers(stage, item, tag);
  EXPECT_EQ(out.size(), 1U);
  return out.empty() ? std::string() : out.front();
}

/// A gray scene with a bright square that wanders.
inline cv::Mat scene(int frame) {
  cv::Mat image(60, 80, CV_8UC3, cv::Scalar(40, 40, 40));
  cv::rectangle(image, cv::Rect(5 + 3 * frame, 20, 12, 12), cv::Scalar(250, 250, 250), cv::FILLED);
  return image;
}

inline void write_clip(const std::string& path, int frames) {
  auto sink = make_stage("video.write", {{"path", path}});
  CollectingOutput unused;
  for (int i = 0; i < frames; ++i) {
    feed(*sink, image_item({scene(i)}), unused);
  }
  sink->cleanup();
}

}  // namespace pystream::test
