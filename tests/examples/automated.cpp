// A pipeline that feeds itself: an input generator and a loop.
#include <iostream>
#include <pystream/pystream.hpp>
#include <thread>

using namespace std::chrono_literals;

int main() {
  int measured = 0;
  pystream::Pipeline pipeline({.input_generator = [&] { return 20.0 + measured++ % 10; }, .use_profiler = true});
  pipeline.add([](double celsius) { return celsius * 1.8 + 32; }, "ToFahrenheit");
  pipeline.add([mean = 0.0](double x) mutable { return mean += 0.2 * (x - mean); }, "Smooth");
  pipeline.parallelize();

  pipeline.start_loop(10ms);
  std::this_thread::sleep_for(500ms);
  pipeline.stop_loop();

  const bool drained = pipeline.drain(5s);
  const auto newest = pipeline.get_results<double>();
  std::cout << "newest: " << newest.value_or(0) << "\n\n" << pystream::to_table(pipeline.get_profiles());
  pipeline.cleanup();
  return drained && newest && measured > 1 ? 0 : 1;
}
