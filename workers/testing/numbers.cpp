#include <cstdlib>
#include <optional>
#include <pystream/registry.hpp>

/// A source and stages of plain numbers, which workers handle many at a time.
namespace pystream::testing {
namespace {

using Number = std::uint64_t;

struct NumbersCursor {
  std::uint64_t next = 0;
};

class Numbers final : public Source<Number, NumbersCursor> {
 public:
  explicit Numbers(const Params& params) : count_(static_cast<std::uint64_t>(params.integer("count"))) {}

  static StageInfo describe() {
    return {.summary = "the numbers from 0 (uint64)",
            .params = {{.name = "count", .type = ParamType::integer, .fallback = 1000, .text = "how many", .min = 0}}};
  }

  std::optional<Number> next() override {
    return cursor().next < count_ ? std::optional(cursor().next++) : std::nullopt;
  }

 private:
  std::uint64_t count_;
};

class Times final : public Stage<Number> {
 public:
  explicit Times(const Params& params)
      : n_(static_cast<Number>(params.integer("n"))), abort_on_(static_cast<Number>(params.integer("abort_on"))) {}

  static StageInfo describe() {
    return {
        .summary = "multiplies numbers (uint64) by n and adds 1",
        .params = {{.name = "n", .type = ParamType::integer, .fallback = 3, .text = "the factor"},
                   {.name = "abort_on", .type = ParamType::integer, .fallback = -1, .text = "a number that kills it"}}};
  }

  Number operator()(Number number) override {
    if (number == abort_on_) {
      std::abort();
    }
    return number * n_ + 1;
  }

 private:
  Number n_;
  Number abort_on_;
};

class WithoutMultiples final : public Stage<Number, std::optional<Number>> {
 public:
  explicit WithoutMultiples(const Params& params) : n_(static_cast<Number>(params.integer("n"))) {}

  static StageInfo describe() {
    return {.summary = "passes on numbers (uint64) that are no multiples of n",
            .params = {{.name = "n", .type = ParamType::integer, .fallback = 3, .text = "the divisor", .min = 1}}};
  }

  std::optional<Number> operator()(Number number) override {
    return number % n_ == 0 ? std::nullopt : std::optional(number);
  }

 private:
  Number n_;
};

}  // namespace

PYSTREAM_STAGE("test.numbers", Numbers);
PYSTREAM_STAGE("test.times", Times);
PYSTREAM_STAGE("test.without_multiples", WithoutMultiples);

}  // namespace pystream::testing
