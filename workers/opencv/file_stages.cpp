#include "opencv/late_stage.hpp"
#include "opencv/video_cursors.hpp"

/// What the plugin knows of the stages for image files and films; their classes: codec.cpp, video.cpp.
namespace pystream::opencv {
namespace {

StageInfo decode_info() {
  return {.summary = "decodes an image file (JPEG, PNG and whatever else OpenCV knows)",
          .params = {{.name = "color",
                      .type = ParamType::string,
                      .fallback = "color",
                      .text = "color: 3 channels (BGR); gray: 1; of 8 bits in any case",
                      .choices = {"color", "gray"}},
                     {.name = "damaged",
                      .type = ParamType::string,
                      .fallback = "refuse",
                      .text = "files that end early or fail a decoder's checks; refuse: an error of the item; accept: "
                              "the picture with what cannot be decoded made up, as far as OpenCV gives one",
                      .choices = {"refuse", "accept"}}},
          .input = "bytes",
          .output = "image"};
}

StageInfo encode_info() {
  return {.summary = "encodes an image as the content of an image file",
          .params = {{.name = "format",
                      .type = ParamType::string,
                      .fallback = "jpg",
                      .text = "format of the file",
                      .choices = {"jpg", "png"}},
                     {.name = "quality",
                      .type = ParamType::integer,
                      .fallback = 90,
                      .text = "of jpg: small against true",
                      .min = 1,
                      .max = 100}},
          .input = "image",
          .output = "bytes"};
}

StageInfo read_info() {
  return {.summary =
              "reads the frames of a video file; goes on behind what cannot be decoded, and fails at the end of a film "
              "that is damaged",
          .params = {{.name = "path", .type = ParamType::string, .text = "the video file", .file = FileUse::reads},
                     {.name = "frames",
                      .type = ParamType::integer,
                      .fallback = 0,
                      .text = "end after so many; 0: all",
                      .min = 0}},
          .output = "image"};
}

StageInfo write_info() {
  return {.summary =
              "writes images as a video file; after a crash it goes on in a second file (name.2.avi), and the "
              "first may lack its last frames",
          .params = {{.name = "path",
                      .type = ParamType::string,
                      .text = "the video file, such as out.avi",
                      .file = FileUse::writes},
                     {.name = "fps",
                      .type = ParamType::number,
                      .fallback = 25.0,
                      .text = "frames per second",
                      .min = 0.001,
                      .max = 1000},
                     {.name = "codec",
                      .type = ParamType::string,
                      .fallback = "MJPG",
                      .text = "4 letters that name a codec: MJPG, mp4v, avc1, ..."}},
          .input = "image"};
}

constexpr const char* kCodecs = "libpystream_opencv_codec.so";
constexpr const char* kVideo = "libpystream_opencv_video.so";

[[maybe_unused]] const bool kRegistered =
    register_stage_type(late_stage({.name = "image.decode", .info = decode_info()}, kCodecs)) &&
    register_stage_type(late_stage({.name = "image.encode", .info = encode_info()}, kCodecs)) &&
    register_stage_type(late_stage(
        {.name = "video.read", .kind = StageKind::source, .info = read_info(), .cursor_bytes = sizeof(VideoReadCursor)},
        kVideo)) &&
    register_stage_type(late_stage({.name = "video.write",
                                    .kind = StageKind::sink,
                                    .info = write_info(),
                                    .cursor_bytes = sizeof(VideoWriteCursor)},
                                   kVideo));

}  // namespace
}  // namespace pystream::opencv
