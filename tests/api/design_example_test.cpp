#include <gtest/gtest.h>

#include <pystream/pystream.hpp>
#include <tuple>
using namespace std::chrono_literals;

// As the design has it:
// clang-format off
/// The example of the C++ API that the design promises, word for word; what its comments say is checked between.

struct Offset : pystream::Stage<int> {            // Stage<In, Out = In>: class form
  explicit Offset(int by) : by_(by) {}
  int operator()(int x) override { return x + by_; }
  void cleanup() override {}                        // called once in the worker when the pipeline is cleaned up
  int by_;
};

TEST(DesignExampleTest, DoesWhatItsCommentsSay) {
  pystream::Pipeline child;
  child.add([](int x) { return x * 2; }, "StageA");  // any callable Out(In)
  child.add([](int x) -> std::optional<int> { if (x < 0) return std::nullopt; return x; }, "StageB");  // filter
  child.serialize();                                  // returns Pipeline&

  pystream::Pipeline pipeline({.input_generator = [] { return 0; }, .use_profiler = true});
  pipeline.add(Offset(1), "Stage1");
  pipeline.add(std::make_unique<Offset>(2));          // named Stage_1
  pipeline.add(child.as_stage(), "ChildPipeline");
  pipeline.parallelize({.block_input = true, .input_timeout = 10s, .block_output = true, .output_timeout = 10s});

  bool taken = pipeline.forward(39);                  // false if the first link stayed full for input_timeout
  std::optional<int> result = pipeline.get_results<int>();   // 84; nullopt if there is none (or on time-out)
  EXPECT_TRUE(taken);
  EXPECT_EQ(result, 84);
  std::size_t n = pipeline.forward_all(std::vector<int>{1, 2, 3});  // published together; how many were taken
  EXPECT_EQ(n, 3U);
  EXPECT_TRUE(pipeline.forward());                                 // an item from input_generator
  pipeline.start_loop(10ms);  pipeline.stop_loop();
  bool empty = pipeline.drain(5s);                    // true once nothing is in flight
  EXPECT_TRUE(empty);
  auto [latency, throughput] = pipeline.get_profiles();      // two std::map<std::string, double>
  for (const char* key : {"MainPipeline", "MainPipeline__Stage1", "MainPipeline__Stage_1",
                          "MainPipeline__ChildPipeline", "MainPipeline__ChildPipeline__StageA",
                          "MainPipeline__ChildPipeline__StageB"}) {
    EXPECT_TRUE(latency.contains(key)) << key;
    EXPECT_TRUE(throughput.contains(key)) << key;
  }
  EXPECT_EQ(latency.size(), 6U);
  pipeline.cleanup();                                 // forward() afterwards throws PipelineUndefined
  EXPECT_THROW(std::ignore = pipeline.forward(1), pystream::PipelineUndefined);
}
