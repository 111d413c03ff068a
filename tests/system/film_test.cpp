#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <string>

#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

/// The demo's plan, on a film that is made here.
namespace pystream::test {
namespace {

constexpr int kFrames = 60;

/// Two squares on their way over a grey ground.
void make_film(const std::string& file) {
  const cv::Size size(320, 240);
  cv::VideoWriter film(file, cv::CAP_OPENCV_MJPEG, cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 10, size);
  ASSERT_TRUE(film.isOpened());
  for (int i = 0; i < kFrames; ++i) {
    cv::Mat frame(size, CV_8UC3, cv::Scalar(90, 90, 90));
    cv::rectangle(frame, {5 * i, 60, 30, 40}, {250, 250, 250}, cv::FILLED);
    cv::rectangle(frame, {290 - 4 * i, 150, 30, 40}, {20, 20, 200}, cv::FILLED);
    film.write(frame);
  }
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

std::string with_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

class FilmTest : public ::testing::Test {
 protected:
  /// The frames that a plan writes, as JPEG one after another.
  std::string frames_of(const std::string& plan, const std::string& mode) {
    const ProgramRun run = run_program(
        {PYSTREAM_TEST_COORD, "run", folder_.write(mode + ".json", plan), "--input", folder_ / "film.avi", "--output",
         folder_ / (mode + ".mjpeg")},
        {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH", "XDG_STATE_HOME=" + folder_ / "state"}});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return folder_.read(mode + ".mjpeg");
  }

  TempFolder folder_;
};

TEST_F(FilmTest, EveryFrameComesOutInOrderAndSerialGivesTheSameBytes) {
  make_film(folder_ / "film.avi");
  std::ifstream file(PYSTREAM_TEST_PIPELINES "/pedestrians.json");
  const std::string plan(std::istreambuf_iterator<char>(file), {});
  const std::string serial_plan = with_all(plan, "\"mode\": \"parallel\"", "\"mode\": \"serial\"");
  ASSERT_NE(serial_plan, plan);
  const std::string parallel = frames_of(plan, "parallel");
  const std::string serial = frames_of(serial_plan, "serial");
  EXPECT_EQ(count(parallel, "\xff\xd8\xff"), static_cast<std::size_t>(kFrames));
  EXPECT_TRUE(parallel == serial) << parallel.size() << " and " << serial.size() << " bytes";
}

/// Where frame `index` of an AVI begins.
std::size_t avi_frame(const std::string& avi, int index) {
  std::size_t at = avi.find("movi");
  for (int i = 0; i <= index; ++i) {
    at = avi.find("00dc", at + 4);
  }
  return at + 8;
}

TEST_F(FilmTest, DamagedFilmIsReadToItsEndAndFailsTheRun) {
  make_film(folder_ / "film.avi");
  std::string film = folder_.read("film.avi");
  for (const int index : {7, 30}) {
    film.replace(avi_frame(film, index), 700, std::string(700, '\0'));
  }
  const std::string plan = R"({"plugins": ["libpystream_opencv.so"],
    "source": {"type": "video.read", "params": {"path": "film.avi"}},
    "stages": [{"name": "Encode", "type": "image.encode"}],
    "sink": {"type": "file_writer", "params": {"path": "out"}}})";
  const ProgramRun run =
      run_program({PYSTREAM_TEST_COORD, "run", folder_.write("plan.json", plan), "--input",
                   folder_.write("damaged.avi", film), "--output", folder_ / "out.mjpeg"},
                  {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH", "XDG_STATE_HOME=" + folder_ / "state"}});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_EQ(count(folder_.read("out.mjpeg"), "\xff\xd8\xff"), static_cast<std::size_t>(kFrames - 2)) << run.err;
  const std::string last_line = run.err.substr(run.err.find_last_of('\n', run.err.size() - 2) + 1);
  EXPECT_EQ(count(last_line, "damaged.avi is damaged: 2 packets could not be decoded"), 1U) << run.err;
}

TEST_F(FilmTest, FullDiskFailsTheRun) {
  make_film(folder_ / "film.avi");
  std::filesystem::create_symlink("/dev/full", folder_ / "full.avi");
  const std::string plan = R"({"plugins": ["libpystream_opencv.so"],
    "source": {"type": "video.read", "params": {"path": "film.avi"}},
    "stages": [{"name": "Gray", "type": "image.gray"}],
    "sink": {"type": "video.write", "params": {"path": "out.avi"}}})";
  const ProgramRun run =
      run_program({PYSTREAM_TEST_COORD, "run", folder_.write("plan.json", plan), "--input", folder_ / "film.avi",
                   "--output", folder_ / "full.avi"},
                  {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH", "XDG_STATE_HOME=" + folder_ / "state"}});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_GE(count(run.err, "full.avi: No space left on device"), 1U) << run.err;
}

}  // namespace
}  // namespace pystream::test
