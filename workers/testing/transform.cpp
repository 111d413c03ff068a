#include <array>
#include <cstring>
#include <pystream/registry.hpp>

/// Stages that change items or their number in ways a test can predict.
namespace pystream::testing {
namespace {

class Add final : public RawStage {
 public:
  explicit Add(const Params& params) : n_(static_cast<std::uint64_t>(params.integer("n"))) {}

  static StageInfo describe() {
    return {.summary = "adds n to the first 8 bytes of an item (uint64); shorter items pass unchanged",
            .params = {{.name = "n", .type = ParamType::integer, .fallback = 1, .text = "what is added"}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    const std::span<const std::byte> from = in.bytes();
    std::uint64_t number = 0;
    if (from.size() < sizeof number) {
      out.forward(in);
      return;
    }
    const std::span<std::byte> to = out.reserve(from.size());
    std::memcpy(&number, from.data(), sizeof number);
    number += n_;
    std::memcpy(to.data(), &number, sizeof number);
    std::memcpy(to.data() + sizeof number, from.data() + sizeof number, from.size() - sizeof number);
    out.emit_reserved(from.size());
  }

 private:
  std::uint64_t n_;
};

/// Every byte of the result depends on the key and on all bytes before it.
class Mix final : public RawStage {
 public:
  explicit Mix(const Params& params) : key_(static_cast<std::uint64_t>(params.integer("key"))) {}

  static StageInfo describe() {
    return {.summary = "changes every byte of an item in a way that depends on key and on the order of mixing",
            .params = {{.name = "key", .type = ParamType::integer, .fallback = 1, .text = "another key, other bytes"}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    const std::span<const std::byte> from = in.bytes();
    const std::span<std::byte> to = out.reserve(from.size());
    std::uint64_t state = 0xcbf29ce484222325U ^ (key_ * 0x9e3779b97f4a7c15U) ^ from.size();
    for (std::size_t i = 0; i < from.size(); ++i) {
      state = (state ^ std::to_integer<std::uint64_t>(from[i])) * 0x100000001b3U;
      to[i] = static_cast<std::byte>(state >> 32);
    }
    out.emit_reserved(from.size());
  }

 private:
  std::uint64_t key_;
};

class Filter final : public RawStage {
 public:
  explicit Filter(const Params& params)
      : n_(static_cast<std::uint64_t>(params.integer("n"))), r_(static_cast<std::uint64_t>(params.integer("r"))) {
    if (n_ == 0) {
      throw InvalidParam("test.filter: parameter \"n\" is 0; expected at least 1");
    }
  }

  static StageInfo describe() {
    return {.summary = "drops the items whose sequence number gives the remainder r when divided by n",
            .params = {{.name = "n", .type = ParamType::integer, .fallback = 2, .text = "divisor", .min = 1},
                       {.name = "r", .type = ParamType::integer, .fallback = 0, .text = "remainder", .min = 0}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    if (in.sequence() % n_ != r_) {
      out.forward(in);
    }
  }

 private:
  std::uint64_t n_;
  std::uint64_t r_;
};

class Repeat final : public RawStage {
 public:
  explicit Repeat(const Params& params) : n_(static_cast<std::uint32_t>(params.integer("n"))) {}

  static StageInfo describe() {
    return {.summary = "gives n copies of an item, each with its number (4 bytes, little endian) after it",
            .params = {{.name = "n",
                        .type = ParamType::integer,
                        .fallback = 2,
                        .text = "how many copies",
                        .min = 0,
                        .max = 4294967295.0}},
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    const std::span<const std::byte> from = in.bytes();
    for (std::uint32_t copy = 0; copy < n_; ++copy) {
      const std::span<std::byte> to = out.reserve(from.size() + sizeof copy);
      if (!from.empty()) {
        std::memcpy(to.data(), from.data(), from.size());
      }
      std::memcpy(to.data() + from.size(), &copy, sizeof copy);
      out.emit_reserved(from.size() + sizeof copy);
    }
  }

 private:
  std::uint32_t n_;
};

/// A state that a crash must not change.
class Count final : public RawStage, public Checkpoint<std::uint64_t> {
 public:
  static StageInfo describe() {
    return {.summary = "appends to every item how many there have been (8 bytes, little endian), over crashes too",
            .input = "any",
            .output = "any"};
  }

  void operator()(const Item& in, Output& out) override {
    const std::span<const std::byte> from = in.bytes();
    const std::uint64_t count = state() + 1;
    const std::span<std::byte> to = out.reserve(from.size() + sizeof count);
    if (!from.empty()) {
      std::memcpy(to.data(), from.data(), from.size());
    }
    std::memcpy(to.data() + from.size(), &count, sizeof count);
    out.emit_reserved(from.size() + sizeof count);
    state() = count;
  }
};

PYSTREAM_STAGE("test.add", Add);
PYSTREAM_STAGE("test.mix", Mix);
PYSTREAM_STAGE("test.filter", Filter);
PYSTREAM_STAGE("test.repeat", Repeat);
PYSTREAM_STAGE("test.count", Count);

}  // namespace
}  // namespace pystream::testing
