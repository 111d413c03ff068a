#pragma once

#include <gtest/gtest.h>

#include <string>

#include "workers/image_items.hpp"

/// Films, and what video.read makes of them.
namespace pystream::test {

inline constexpr int kFrames = 40;

/// What a source gave, and the message of the exception that ended it, if one did.
struct Read {
  Texts frames;
  std::string fault;
};

inline Read read_film(const std::string& path) {
  Read read;
  auto source = make_stage("video.read", {{"path", path}});
  CollectingOutput out;
  read.fault = message_of([&] {
    while (source->source()->produce(out)) {
    }
  });
  if (!read.fault.empty()) {
    EXPECT_FALSE(source->source()->produce(out)) << "told once, the source has ended";
  }
  read.frames = out.texts();
  return read;
}

struct Clip {
  const char* codec;
  const char* name;
};
inline constexpr Clip kMjpeg{"MJPG", "clip.avi"};
inline constexpr Clip kMpeg4{"mp4v", "clip.mp4"};
inline constexpr Clip kH264{"avc1", "clip.mkv"};
inline constexpr Clip kPng{"MPNG", "clip.mov"};

/// Frames with enough in them that damage is seen.
inline cv::Mat busy_scene(int frame, cv::Size size = {160, 120}) {
  cv::Mat image = noise(size.height, size.width, CV_8UC3, 7 + frame) / 8;
  cv::circle(image, {20 + 3 * frame, size.height / 2}, 18, cv::Scalar(30, 200, 250), cv::FILLED);
  return image;
}

inline std::string write_busy_clip(const TempFolder& dir, const Clip& clip) {
  auto sink = make_stage("video.write", {{"path", dir / clip.name}, {"codec", clip.codec}});
  CollectingOutput unused;
  for (int i = 0; i < kFrames; ++i) {
    feed(*sink, image_item({busy_scene(i)}), unused);
  }
  sink->cleanup();
  return read_file(dir / clip.name);
}

/// Where frame `index` of an AVI begins.
inline std::size_t avi_frame(const std::string& avi, int index) {
  std::size_t at = avi.find("movi");
  for (int i = 0; i <= index; ++i) {
    at = avi.find("00dc", at + 4);
  }
  return at + 8;
}

/// The number in front of `what` in a text; 0 if it is not there.
inline int number_before(const std::string& text, const std::string& what) {
  const std::size_t end = text.find(what);
  const std::size_t begin = end == std::string::npos ? end : text.find_last_not_of("0123456789", end - 1);
  return end == std::string::npos ? 0 : std::stoi(text.substr(begin + 1, end - begin - 1));
}

/// Of a message about a damaged film.
inline int missing_in(const std::string& fault) {
  return number_before(fault, " frame that it") + number_before(fault, " frames that it");
}

}  // namespace pystream::test
