#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <pystream/registry.hpp>

namespace {

/// Prints on standard output in every way and at every time.
struct Print : pystream::RawStage {
  static pystream::StageInfo describe() { return {.summary = "prints", .input = "any", .output = "any"}; }
  explicit Print(const pystream::Params&) { std::cout << "noise: made" << std::endl; }
  void operator()(const pystream::Item& in, pystream::Output& out) override {
    std::cout << "noise: cout\n";
    std::printf("noise: printf\n");
    [[maybe_unused]] const ssize_t put = ::write(STDOUT_FILENO, "noise: write\n", 13);
    out.forward(in);
  }
  void cleanup() override { std::cout << "noise: cleaned up\n"; }
};

/// A sink whose product is standard output.
struct PrintSink : pystream::RawSink<> {
  static pystream::StageInfo describe() { return {.summary = "prints items", .input = "any"}; }
  explicit PrintSink(const pystream::Params&) {}
  void consume(const pystream::Item& in) override {
    std::cout << std::string_view(reinterpret_cast<const char*>(in.bytes().data()), in.bytes().size()) << '\n';
  }
  void flush() override { std::cout.flush(); }
};

/// The same where stages may be beside it.
struct OutputSink : pystream::RawSink<> {
  static pystream::StageInfo describe() { return {.summary = "writes items", .input = "any"}; }
  explicit OutputSink(const pystream::Params&) {}
  void consume(const pystream::Item& in) override {
    const std::string line = std::string(reinterpret_cast<const char*>(in.bytes().data()), in.bytes().size()) + "\n";
    if (::write(pystream::standard_output(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      throw pystream::Error("cannot write");
    }
  }
};

PYSTREAM_STAGE("odd.print", Print);
PYSTREAM_STAGE("odd.print_sink", PrintSink);
PYSTREAM_STAGE("odd.output_sink", OutputSink);

}  // namespace
