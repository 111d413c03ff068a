#pragma once

#include <cstdint>
#include <optional>
#include <pystream/registry.hpp>
#include <string>

/// Numbers the lines that contain a word, and leaves out the others. The number is in a checkpoint: it is committed
/// with the lines, so a crash of the worker neither skips nor repeats one.
struct NumberLines : pystream::Stage<std::string, std::optional<std::string>>, pystream::Checkpoint<std::uint64_t> {
  static pystream::StageInfo describe() {
    return {.summary = "numbers the lines that contain a word",
            .params = {{.name = "word",
                        .type = pystream::ParamType::string,
                        .fallback = "",
                        .text = "what a line must contain; empty: every line is numbered"}}};
  }

  explicit NumberLines(const pystream::Params& params) : word_(params.string("word")) {}

  std::optional<std::string> operator()(std::string line) override {
    if (line.find(word_) == std::string::npos) {
      return std::nullopt;
    }
    return std::to_string(++state()) + " " + line;
  }

 private:
  std::string word_;
};
