// Pipelines in a pipeline: a serial one shares a process, a parallel one has a process for every stage.
#include <cmath>
#include <iostream>
#include <numeric>
#include <pystream/pystream.hpp>

using namespace std::chrono_literals;
using Samples = std::vector<float>;

int main() {
  pystream::Pipeline clean;  // two cheap stages: one worker process for both
  clean.add(
      [](Samples& samples) {
        for (float& x : samples) x -= 0.5F;
      },
      "Offset");
  clean.add(
      [](Samples& samples) {
        for (float& x : samples) x *= 2;
      },
      "Gain");
  clean.serialize();

  pystream::Pipeline analyse;  // two expensive ones: a worker process each
  analyse.add(
      [](Samples& samples) {
        for (float& x : samples) x = std::sin(x) * std::cos(x);
      },
      "Shape");
  analyse.add([](const Samples& samples) { return std::accumulate(samples.begin(), samples.end(), 0.0); }, "Energy");
  analyse.parallelize();

  pystream::Pipeline pipeline({.use_profiler = true});
  pipeline.add(clean.as_stage(), "Clean");
  pipeline.add(analyse.as_stage(), "Analyse");
  pipeline.parallelize({.block_output = true, .results = pystream::Results::all});

  int results = 0;
  for (int i = 0; i < 50; ++i) {
    if (!pipeline.forward(Samples(10'000, 0.01F * static_cast<float>(i)))) {
      return 1;
    }
  }
  while (results < 50 && pipeline.get_results<double>()) {
    ++results;
  }
  std::cout << results << " results\n\n" << pystream::to_table(pipeline.get_profiles());
  return results == 50 ? 0 : 1;  // the destructor cleans up
}
