#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <string>

#include "support/pipeline_run.hpp"
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
  const std::string one_by_one = with_all(plan, ", \"replicas\": 2", "");
  ASSERT_NE(one_by_one, plan);
  const std::string serial_plan = with_all(one_by_one, "\"mode\": \"parallel\"", "\"mode\": \"serial\"");
  ASSERT_NE(serial_plan, one_by_one);
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

std::string last_line(const std::string& text) {
  return text.substr(text.find_last_of('\n', text.size() - 2) + 1);
}

/// Writes the frames as JPEG one after another. `policy` belongs to the source.
std::string encode_plan(const std::string& policy = {}) {
  return R"({"plugins": ["libpystream_opencv.so"],
    "source": {"type": "video.read", "params": {"path": "film.avi"})" +
         (policy.empty() ? "" : R"(, "on_error": ")" + policy + '"') + R"(},
    "stages": [{"name": "Encode", "type": "image.encode"}],
    "sink": {"type": "file_writer", "params": {"path": "out"}}})";
}

TEST_F(FilmTest, DamagedFilmIsReadToItsEndAndOnErrorDecides) {
  make_film(folder_ / "film.avi");
  const std::string whole = folder_.read("film.avi");
  std::string unreadable = whole;
  for (const int index : {7, 30}) {
    unreadable.replace(avi_frame(unreadable, index), 700, std::string(700, '\0'));
  }
  std::string lost_sectors = whole;
  const std::size_t hole = avi_frame(whole, 20) - 8;
  const std::size_t hole_end = avi_frame(whole, 25) - 8;
  lost_sectors.replace(hole, hole_end - hole, hole_end - hole, '\0');
  struct Case {
    const char* what;
    std::string film;
    int frames;
    const char* told;
  };
  struct Policy {
    const char* name;
    int exit_code;
    const char* last_line;  ///< nullptr: what is told of the film
  };
  for (const Case& damaged : {
           Case{"unreadable", unreadable, kFrames - 2, "is damaged: 2 packets could not be decoded"},
           Case{"lost sectors", lost_sectors, kFrames - 5, "is damaged: 5 frames that it announces are missing"},
           Case{"cut between frames", whole.substr(0, avi_frame(whole, 50) - 8), 50,
                "is damaged: its end is missing, 10 frames that it announces are missing"},
       }) {
    for (const Policy& policy : {Policy{"", 1, nullptr}, Policy{"dead_letter", 3, ": 1 became a dead letter"},
                                 Policy{"skip", 0, ": 1 was skipped"}}) {
      const ProgramRun run = run_program(
          {PYSTREAM_TEST_COORD, "run", "-q", folder_.write("plan.json", encode_plan(policy.name)), "--input",
           folder_.write("damaged.avi", damaged.film), "--output", folder_ / "out.mjpeg"},
          {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH", "XDG_STATE_HOME=" + folder_ / "state"}});
      EXPECT_EQ(run.exit_code, policy.exit_code) << damaged.what << policy.name << run.err;
      EXPECT_EQ(count(folder_.read("out.mjpeg"), "\xff\xd8\xff"), static_cast<std::size_t>(damaged.frames))
          << damaged.what << policy.name << run.err;
      EXPECT_EQ(count(last_line(run.err), policy.last_line != nullptr ? policy.last_line : damaged.told), 1U)
          << damaged.what << policy.name << run.err;
    }
  }
}

TEST_F(FilmTest, StandardInputIsAFilmIfItIsAFile) {
  make_film(folder_ / "film.avi");
  folder_.write("plan.json", encode_plan());
  struct Case {
    const char* input;
    const char* shell;
    bool is_file;
  };
  for (const Case& sut : {
           Case{"-", " < film.avi", true},
           Case{"/dev/stdin", " < film.avi", true},
           Case{"/dev/fd/5", " 5< film.avi", true},
           Case{"-", " < /dev/null", false},
           Case{"/dev/stdin", " < pipe", false},
       }) {
    const std::string command =
        std::string("rm -f pipe out.mjpeg; mkfifo pipe; (exec cat film.avi > pipe) & " PYSTREAM_TEST_COORD
                    " run plan.json -q --output out.mjpeg --input ") +
        sut.input + sut.shell + "; code=$?; kill $! 2>/dev/null; exit $code";
    const ProgramRun run =
        run_program({"sh", "-c", command},
                    {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH", "XDG_STATE_HOME=" + folder_ / "state"},
                     .directory = folder_.path()});
    if (sut.is_file) {
      EXPECT_EQ(run.exit_code, 0) << sut.input << run.err;
      EXPECT_EQ(count(folder_.read("out.mjpeg"), "\xff\xd8\xff"), static_cast<std::size_t>(kFrames)) << sut.input;
    } else {
      EXPECT_EQ(run.exit_code, 1) << sut.input << run.err;
      EXPECT_EQ(count(last_line(run.err), "cannot open standard input: it is no regular file"), 1U) << run.err;
    }
  }
}

TEST_F(FilmTest, KilledSinkThatLosesFramesSaysSo) {  // an MP4 file without its index cannot be read
  make_film(folder_ / "film.avi");
  const std::string film = folder_ / "out.mp4";
  PipelineRun run(R"({"plugins": ["libpystream_opencv.so"],
      "source": {"type": "video.read", "params": {"path": ")" +
                      folder_ / "film.avi" + R"("}},
      "stages": [{"name": "Slow", "type": "wait", "params": {"time": "50ms"}}],
      "sink": {"type": "video.write", "params": {"codec": "mp4v", "path": ")" +
                      film + R"("}}})",
                  folder_, {"-q"});
  bool killed = false;
  ASSERT_TRUE(wait_until([&] {
    std::error_code error;
    if (const auto size = std::filesystem::file_size(film, error); error || size < 4000) {
      return run.ended();
    }
    for (const pid_t worker : run.workers()) {
      std::ifstream file("/proc/" + std::to_string(worker) + "/comm");
      std::string name;
      killed = killed || (std::getline(file, name) && name == "Sink" && ::kill(worker, SIGKILL) == 0);
    }
    return killed || run.ended();
  }));
  EXPECT_EQ(run.wait(), 3) << run.errors();
  EXPECT_TRUE(killed);
  EXPECT_EQ(count(run.errors(), "lost: video.write: "), 1U) << run.errors();
  EXPECT_EQ(count(last_line(run.errors()), "1 loss of data outside"), 1U) << run.errors();
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out.2.mp4"));
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
