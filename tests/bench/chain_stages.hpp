#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <pystream/detail/callable.hpp>
#include <pystream/detail/stage_forms.hpp>
#include <vector>

#include "bench/fork_pipeline.hpp"
#include "bench/processes.hpp"

/// The work of a chain in pystream's forms: a source that counts, stages that add 1 to an item's first word and
/// write all of the item, a sink that takes it.
namespace pystream::bench {

template <std::size_t kBytes>
using Block = std::array<std::uint64_t, kBytes / 8>;

inline void add_one(std::span<std::byte> item) {
  std::uint64_t value = 0;
  std::memcpy(&value, item.data(), sizeof(value));
  ++value;
  std::memcpy(item.data(), &value, sizeof(value));
}

/// Typed: items by value.
template <std::size_t kBytes>
class TypedNumbers final : public Source<Block<kBytes>, std::uint64_t> {
 public:
  TypedNumbers(std::uint64_t count, RunTimes* times) : count_(count), times_(times) {}
  std::optional<Block<kBytes>> next() override {
    if (this->cursor() == 0) {
      times_->begin();
    }
    if (this->cursor() == count_) {
      return std::nullopt;
    }
    return Block<kBytes>{this->cursor()++};
  }

 private:
  std::uint64_t count_;
  RunTimes* times_;
};

template <std::size_t kBytes>
struct TypedAddOne final : Stage<Block<kBytes>> {
  Block<kBytes> operator()(Block<kBytes> item) override {
    ++item[0];
    return item;
  }
};

/// Typed, changed in place: the item is copied once, to where it will lie, as the bare chain does it.
template <std::size_t kBytes>
std::unique_ptr<StageAdapter> host_add_one_in_place() {
  return detail::stage_parts([](Block<kBytes>& item) { ++item[0]; }).adapter;
}

template <std::size_t kBytes>
class TypedSum final : public Sink<Block<kBytes>, std::uint64_t> {
 public:
  explicit TypedSum(RunTimes* times) : times_(times) {}
  void operator()(Block<kBytes> item) override { this->cursor() += item[0]; }
  void cleanup() override { times_->end(); }

 private:
  RunTimes* times_;
};

/// Raw: items are written and read where they lie in shared memory.
class RawNumbers final : public RawSource<std::uint64_t> {
 public:
  /// `touched`: false leaves an item's bytes as they are. `untimed`: items before the clock starts.
  RawNumbers(std::uint64_t count, std::size_t bytes, RunTimes* times, bool touched = true, std::uint64_t untimed = 0)
      : count_(count), bytes_(bytes), times_(times), touched_(touched), untimed_(untimed) {}
  bool produce(Output& out) override {
    if (cursor() == untimed_) {
      times_->begin();
    }
    if (cursor() == count_) {
      return false;
    }
    const std::span<std::byte> to = out.reserve(bytes_);
    if (touched_) {
      std::memset(to.data(), 0, bytes_);
      std::memcpy(to.data(), &cursor(), sizeof(std::uint64_t));
    }
    ++cursor();
    out.emit_reserved(bytes_);
    return true;
  }

 private:
  std::uint64_t count_;
  std::size_t bytes_;
  RunTimes* times_;
  bool touched_;
  std::uint64_t untimed_;
};

struct RawAddOne final : RawStage {
  void operator()(const Item& in, Output& out) override {
    const std::span<std::byte> to = out.reserve(in.bytes().size());
    std::memcpy(to.data(), in.bytes().data(), to.size());
    add_one(to);
    out.emit_reserved(to.size());
  }
};

class RawSum final : public RawSink<std::uint64_t> {
 public:
  explicit RawSum(RunTimes* times) : times_(times) {}
  void consume(const Item& in) override {
    std::uint64_t value = 0;
    std::memcpy(&value, in.bytes().data(), sizeof(value));
    cursor() += value;
  }
  void cleanup() override { times_->end(); }

 private:
  RunTimes* times_;
};

template <class Object, class... Arguments>
StageFactory stage_factory(Arguments... arguments) {
  return [=] { return detail::adapt(std::make_unique<Object>(arguments...)); };
}

/// Runs it, from the moment all workers are ready; ends the benchmark if not every item arrived.
inline void run_whole(ForkPipeline& pipeline, std::uint64_t items, RunTimes& times) {
  times.reset();
  pipeline.set_ready([&times] { times.open = true; });
  pipeline.run();
  if (pipeline.summary().back().items != items) {
    std::fprintf(stderr, "the sink got %lu of %lu items\n", static_cast<unsigned long>(pipeline.summary().back().items),
                 static_cast<unsigned long>(items));
    std::exit(EXIT_FAILURE);
  }
}

/// A source, `stages` stages and a sink.
inline std::vector<StageFactory> chain_of(StageFactory source, const StageFactory& stage, std::size_t stages,
                                          StageFactory sink) {
  std::vector<StageFactory> all{std::move(source)};
  all.insert(all.end(), stages, stage);
  all.push_back(std::move(sink));
  return all;
}

template <std::size_t kBytes>
std::vector<StageFactory> typed_chain(std::uint64_t items, std::size_t stages, RunTimes* times,
                                      const StageFactory& stage = stage_factory<TypedAddOne<kBytes>>()) {
  return chain_of(stage_factory<TypedNumbers<kBytes>>(items, times), stage, stages,
                  stage_factory<TypedSum<kBytes>>(times));
}

inline std::vector<StageFactory> raw_chain(std::uint64_t items, std::size_t bytes, std::size_t stages,
                                           RunTimes* times) {
  return chain_of(stage_factory<RawNumbers>(items, bytes, times), stage_factory<RawAddOne>(), stages,
                  stage_factory<RawSum>(times));
}

}  // namespace pystream::bench
