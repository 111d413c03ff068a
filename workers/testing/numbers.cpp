#include <cstdlib>
#include <optional>
#include <pystream/registry.hpp>
#include <string>

/// A source and stages of plain numbers, which workers handle many at a time.
namespace pystream::testing {
namespace {

using Number = std::uint64_t;

struct NumbersCursor {
  std::uint64_t next = 0;
};

class Numbers final : public Source<Number, NumbersCursor> {
 public:
  explicit Numbers(const Params& params)
      : count_(static_cast<std::uint64_t>(params.integer("count"))),
        throw_at_(static_cast<Number>(params.integer("throw_at"))),
        abort_at_(static_cast<Number>(params.integer("abort_at"))) {}

  static StageInfo describe() {
    return {
        .summary = "the numbers from 0 (uint64)",
        .params = {{.name = "count", .type = ParamType::integer, .fallback = 1000, .text = "how many", .min = 0},
                   {.name = "throw_at",
                    .type = ParamType::integer,
                    .fallback = -1,
                    .text = "a number that it never gets behind"},
                   {.name = "abort_at", .type = ParamType::integer, .fallback = -1, .text = "a number that kills it"}}};
  }

  std::optional<Number> next() override {
    if (cursor().next == throw_at_) {
      throw Error("test.numbers: at number " + std::to_string(throw_at_));
    }
    if (cursor().next == abort_at_) {
      std::abort();
    }
    return cursor().next < count_ ? std::optional(cursor().next++) : std::nullopt;
  }

 private:
  std::uint64_t count_;
  Number throw_at_;
  Number abort_at_;
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
