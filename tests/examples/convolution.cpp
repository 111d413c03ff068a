// Five stages of image convolutions, serial and parallel: what a second core is worth.
//
//     convolution [ITEMS [CONVOLUTIONS]]
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <pystream/pystream.hpp>

using namespace std::chrono_literals;

namespace {

constexpr int kRows = 480;
constexpr int kColumns = 720;
constexpr int kStages = 5;

/// Convolves an image of its own and counts the stage's calls in the item that passes through.
class Convolution : public pystream::Stage<std::vector<int>> {
 public:
  Convolution(int index, int convolutions) : index_(index), convolutions_(convolutions) {}

  std::vector<int> operator()(std::vector<int> counts) override {
    cv::Mat image(kRows, kColumns, CV_8UC3);
    cv::randu(image, 0, 255);
    cv::Mat kernel(5, 5, CV_32F);
    cv::randu(kernel, -10, 10);
    for (int i = 0; i < convolutions_; ++i) {
      cv::Mat next;
      cv::filter2D(image, next, -1, kernel);
      image = next;
    }
    ++counts.at(static_cast<std::size_t>(index_));
    return counts;
  }

 private:
  int index_;
  int convolutions_;
};

pystream::Pipeline make_pipeline(int convolutions) {
  pystream::Pipeline pipeline({.use_profiler = true});
  for (int i = 0; i < kStages; ++i) {
    pipeline.add(Convolution(i, convolutions), "Stage" + std::to_string(i + 1));
  }
  return pipeline;
}

/// Seconds for `items` items from the first forward() to the last result; negative if one is missing.
double run(pystream::Pipeline& pipeline, int items) {
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < items; ++i) {
    if (!pipeline.forward(std::vector<int>(kStages))) {
      return -1;
    }
  }
  for (int i = 0; i < items; ++i) {
    if (pipeline.get_results<std::vector<int>>() != std::vector<int>(kStages, 1)) {
      return -1;
    }
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

int main(int argc, char** argv) {
  const int items = argc > 1 ? std::atoi(argv[1]) : 20;
  const int convolutions = argc > 2 ? std::atoi(argv[2]) : 10;
  cv::setNumThreads(1);  // every stage uses one core; the pipeline is what uses several

  pystream::Pipeline serial = make_pipeline(convolutions);
  serial.serialize({.results = pystream::Results::all});
  const double serial_s = run(serial, items);
  std::cout << "serial: " << serial_s << " s\n" << pystream::to_table(serial.get_profiles()) << "\n";
  serial.cleanup();

  pystream::Pipeline parallel = make_pipeline(convolutions);
  parallel.parallelize({.block_output = true, .output_timeout = 60s, .results = pystream::Results::all});
  const double parallel_s = run(parallel, items);
  std::cout << "parallel: " << parallel_s << " s\n" << pystream::to_table(parallel.get_profiles()) << "\n";
  std::cout << "speedup: " << serial_s / parallel_s << "\n";
  return serial_s > 0 && parallel_s > 0 ? 0 : 1;
}
