// A pipeline that is fed by hand, with a stage as a class, a filter, and every result in order.
#include <iostream>
#include <pystream/pystream.hpp>

using namespace std::chrono_literals;

namespace {

class Numbered : public pystream::Stage<std::string> {
 public:
  std::string operator()(std::string line) override { return std::to_string(++lines_) + ": " + line; }
  void cleanup() override { std::cout << lines_ << " lines numbered\n"; }

 private:
  int lines_ = 0;
};

std::optional<std::string> without_comments(const std::string& line) {
  return line.starts_with("#") ? std::nullopt : std::optional(line);
}

}  // namespace

int main() {
  pystream::Pipeline pipeline({.use_profiler = true});
  pipeline.add(without_comments, "WithoutComments");
  pipeline.add(Numbered(), "Numbered");
  pipeline.parallelize({.results = pystream::Results::all});

  for (const char* line : {"# a list", "apples", "pears", "# not this", "plums"}) {
    if (!pipeline.forward(line)) {
      return 1;  // the first link stayed full for ten seconds
    }
  }
  const bool drained = pipeline.drain(5s);
  int count = 0;
  while (const auto line = pipeline.get_results<std::string>()) {
    std::cout << *line << "\n";
    ++count;
  }
  std::cout << "\n" << pystream::to_table(pipeline.get_profiles());
  pipeline.cleanup();
  return drained && count == 3 ? 0 : 1;
}
