// A program with a header-only spdlog of its own beside pystream.
#define FMT_HEADER_ONLY
#define SPDLOG_FMT_EXTERNAL
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <pystream/pystream.hpp>
#include <sstream>

#if !defined(SPDLOG_HEADER_ONLY) || defined(SPDLOG_COMPILED_LIB) || defined(SPDLOG_SHARED_LIB)
#error "the flags of pystream changed what kind of spdlog this program has"
#endif

int main() {
  std::ostringstream text;
  spdlog::logger own("own", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  pystream::Pipeline pipeline;
  pipeline.add([](int x) { return x + 1; });
  pipeline.parallelize({.block_output = true});
  if (!pipeline.forward(41)) {
    return 1;
  }
  own.info("the answer is {}", pipeline.get_results<int>().value_or(0));
  return text.str().find("the answer is 42") != std::string::npos ? 0 : 1;
}
