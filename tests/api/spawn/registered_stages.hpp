#pragma once

#include <unistd.h>

#include <pystream/registry.hpp>

/// Stage types that the worker program of these tests knows.
namespace pystream::test {

struct Add final : Stage<int> {
  static StageInfo describe() {
    return {.summary = "adds a number",
            .params = {{.name = "by", .type = ParamType::integer, .fallback = 1, .text = "the number"}}};
  }
  explicit Add(const Params& params) : by(static_cast<int>(params.integer("by"))) {}
  int operator()(int x) override { return x + by; }
  int by;
};

struct WhichProcess final : Stage<int> {
  int operator()(int) override { return ::getpid(); }
};

struct CrashesOn13 final : Stage<int> {
  int operator()(int x) override {
    if (x == 13) {
      __builtin_trap();
    }
    return x;
  }
};

}  // namespace pystream::test

PYSTREAM_STAGE("test.add", pystream::test::Add);
PYSTREAM_STAGE("test.which_process", pystream::test::WhichProcess);
PYSTREAM_STAGE("test.crashes_on_13", pystream::test::CrashesOn13);
