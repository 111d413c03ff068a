#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <pystream/detail/item_run.hpp>
#include <pystream/stage.hpp>
#include <span>

/// Type erasure: whatever form a source, stage or sink has, a worker sees it as an adapter of its role.
namespace pystream {

class SourceAdapter;
class ItemAdapter;
class SinkAdapter;

/// A source, stage or sink as a worker sees it. Used by one thread.
class StageAdapter {
 public:
  virtual ~StageAdapter() = default;

  /// Sources and sinks: called before the first item of a run, and again if the worker dies before its first commit.
  virtual void start() {}
  /// Called once before the first item of a restarted worker, after cursor and state were put back.
  virtual void resume() {}
  virtual void cleanup() {}
  /// The committed position of a source or sink; empty if there is none.
  virtual std::span<std::byte> cursor() { return {}; }
  virtual CheckpointBase* checkpoint() { return nullptr; }
  /// What process_run() takes and gives; nothing: it is not to be called.
  virtual detail::RunSizes run_sizes() const { return {}; }
  /// Processes or makes each item of a run. A source that gives fewer than were asked for has ended.
  virtual void process_run(detail::ItemRun&) {}

  /// This, in its role; nullptr if that is another one.
  virtual SourceAdapter* source() { return nullptr; }
  virtual ItemAdapter* taker() { return nullptr; }  ///< a stage or a sink
  virtual SinkAdapter* sink() { return nullptr; }
};

class SourceAdapter : public StageAdapter {
 public:
  /// Emits the next item (or none if interrupted); false at the end.
  virtual bool produce(Output& out) = 0;
  /// See RawSource::buffered().
  virtual bool buffered() { return false; }

  SourceAdapter* source() final { return this; }
};

/// What takes items: a stage or a sink.
class ItemAdapter : public StageAdapter {
 public:
  /// A sink ignores `out`.
  virtual void process(const Item& in, Output& out) = 0;
  /// The value this takes without decoding; nullptr if it wants bytes.
  virtual const ValueType* takes() const { return nullptr; }
  /// The value that give() gives; nullptr if this cannot give().
  virtual const ValueType* gives() const { return nullptr; }
  /// As process(), for stages of at most one output: the output stays here until the next call and may be moved from.
  /// nullptr: filtered out. Lets a row of stages be a loop instead of calls inside calls.
  virtual void* give(const Item&) { return nullptr; }
  /// The asynchronous interface of an AsyncStage; process() then waits for each answer.
  virtual AsyncStage* async() { return nullptr; }

  ItemAdapter* taker() final { return this; }
};

class SinkAdapter : public ItemAdapter {
 public:
  /// See RawSink::passed().
  virtual void passed(std::uint64_t) {}
  /// Called before every commit.
  virtual void flush() = 0;

  SinkAdapter* sink() final { return this; }
};

using StageFactory = std::function<std::unique_ptr<StageAdapter>()>;

}  // namespace pystream
