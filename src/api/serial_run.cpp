#include "api/serial_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "api/parallel_run.hpp"
#include "api/patience.hpp"
#include "base/clock.hpp"
#include "base/exception_text.hpp"
#include "base/log.hpp"
#include "setup/item_key.hpp"
#include "worker/worker_process.hpp"

namespace pystream::api {

std::span<std::byte> ResultBox::reserve(std::size_t size) {
  incoming_.resize(size);
  return incoming_;
}

void ResultBox::emit_reserved(std::size_t size) {
  incoming_.resize(size);
  put();
}

/// All that comes out of a SerialChain.
void ResultBox::forward(const Item& in) {
  if (on_result_) {
    on_result_(in);
  } else if (in.unencoded() != nullptr) {
    emit_value(in.unencoded(), *in.unencoded_type());
  } else {
    incoming_.assign(in.bytes().begin(), in.bytes().end());
    put();
  }
}

void ResultBox::emit_value(const void* value, const ValueType& type) {
  incoming_.resize(type.size(value));
  type.encode(value, incoming_);
  put();
}

void ResultBox::put() {
  {
    const std::lock_guard lock(mutex_);
    if (all_) {
      unread_.push_back(std::exchange(incoming_, {}));
    } else {
      newest_.swap(incoming_);
      fresh_ = true;
    }
  }
  if (block_) {
    changed_.notify_all();
  }
}

bool ResultBox::wait_for_room(std::chrono::nanoseconds timeout, const std::stop_token& stop) {
  if (!all_) {
    return true;
  }
  std::unique_lock lock(mutex_);
  const auto until = deadline_in(timeout);
  while (unread_.size() >= limit_) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= until || stop.stop_requested()) {
      return false;
    }
    changed_.wait_until(lock, std::min(until, now + kLookPeriod));
  }
  return true;
}

bool ResultBox::wait_for_one(std::unique_lock<std::mutex>& lock) {
  return there() || (block_ && changed_.wait_until(lock, deadline_in(timeout_), [this] { return there(); }));
}

/// REQUIRES: there().
void ResultBox::take_one(const Decode& decode) {
  decode(all_ ? unread_.front() : newest_);
  if (all_) {
    unread_.pop_front();
    changed_.notify_all();
  }
  fresh_ = false;
}

bool ResultBox::take(const Decode& decode) {
  std::unique_lock lock(mutex_);
  if (!wait_for_one(lock)) {
    return false;
  }
  take_one(decode);
  return true;
}

std::size_t ResultBox::take_all(std::size_t limit, const Decode& decode) {
  std::unique_lock lock(mutex_);
  if (limit == 0 || !wait_for_one(lock)) {
    return 0;
  }
  take_one(decode);
  std::size_t taken = 1;
  try {
    for (; taken < limit && there(); ++taken) {
      take_one(decode);
    }
  } catch (...) {  // the caller gets what was taken before; the next call meets this once more
  }
  return taken;
}

ChildCall::ChildCall(Session& session, plan::LinkId to, plan::LinkId from)
    : session_(session),
      spin_ns_(worker::spin_ns(session.topology().workers.size())),
      to_(session.segment().map_producer(to), setup::key_of(session.topology().links[to])),
      from_(session.segment().map_consumer(from), 0) {}

void ChildCall::send(const Item& in) {
  const ValueType* type = in.unencoded_type();
  const std::size_t size = type != nullptr ? type->size(in.unencoded()) : in.bytes().size();
  std::byte* room = to_.try_reserve(size);
  while (room == nullptr) {  // earlier items are through; their room comes back at once
    session_.check(base::now_ns());
    to_.wait(spin_ns_, kLookPeriod.count());
    room = to_.try_reserve(size);
  }
  if (type != nullptr) {
    type->encode(in.unencoded(), {room, size});
  } else if (size > 0) {
    std::memcpy(room, in.bytes().data(), size);
  }
  to_.finish(size, {.sequence = in.sequence(), .part = in.part(), .entered_ns = in.tag().entered_ns});
  to_.set_closes(1);
  to_.commit({.inputs_done = to_.next_number(), .cycles = to_.next_number()});
}

void ChildCall::process(const Item& in, Output& out) {
  session_.on_links([&] { call(in, out); });
}

void ChildCall::call(const Item& in, Output& out) {
  session_.check(base::now_ns());
  send(in);
  for (bool closed = false; !closed;) {
    const shm::Record* record = from_.try_peek();
    if (record == nullptr) {
      session_.check(base::now_ns());
      from_.wait(spin_ns_, kLookPeriod.count());
      continue;
    }
    closed = record->closes > 0;
    std::exception_ptr failure;
    if (record->is_item()) {
      try {
        out.forward(Item(in.tag(), record->payload));
      } catch (...) {
        failure = std::current_exception();
      }
    }
    from_.advance();
    from_.release();
    if (failure) {
      // The rest of this item's outputs must not be taken for the next one's.
      while (!closed) {
        if (const shm::Record* rest = from_.try_peek()) {
          closed = rest->closes > 0;
          from_.advance();
          from_.release();
        } else {
          session_.check(base::now_ns());
          from_.wait(spin_ns_, kLookPeriod.count());
        }
      }
      std::rethrow_exception(failure);
    }
  }
}

SerialRun::SerialRun(PipelineTree& tree, const SerialOptions& options, const PipelineOptions& pipeline)
    : options_(options),
      plan_(make_plan(tree, options.children, pipeline)),
      topology_(plan::make_topology(plan_)),
      results_(options) {
  if (topology_.workers.size() > 1) {
    session_.emplace(tree, options.children, pipeline);
  }
  gather(tree, std::string(plan::kMainPipeline));
  chain_.emplace(row_, results_, pipeline.use_profiler);
  if (pipeline.use_profiler) {
    if (session_) {
      profile_.emplace(session_->segment());
    } else {
      profile_.emplace(plan_, topology_, options.children.worker_program);
    }
    chain_->record_to(*profile_, row_numbers_);
  }
}

/// Segment i of the row writes to the i-th child, segment i + 1 reads what comes back.
void SerialRun::gather(PipelineTree& tree, const std::string& key) {
  for (TreeNode& member : tree.members) {
    const std::string member_key = std::string(key).append(plan::kSeparator).append(member.name);
    if (member.child && member.child->mode == plan::Mode::serial) {
      gather(*member.child, member_key);
    } else if (member.child) {
      const auto& row = topology_.workers.front().segments;
      own_.push_back(std::make_unique<ChildCall>(*session_, row.at(children_).outputs.front(),
                                                 row.at(children_ + 1).inputs.front()));
      ++children_;
      row_.push_back(own_.back()->taker());
      row_keys_.push_back(member_key);
      row_numbers_.emplace_back();
    } else {
      if (!member.stage.adapter) {
        own_.push_back(make_adapter(member.stage, member.stage.registered.params));
      }
      StageAdapter& stage = member.stage.adapter ? *member.stage.adapter : *own_.back();
      if (stage.taker() == nullptr) {
        throw Error("stage \"" + member_key + "\" is a source; a Pipeline is fed by forward()");
      }
      row_.push_back(stage.taker());
      row_keys_.push_back(member_key);
      row_numbers_.emplace_back(own_stages_++);
    }
  }
}

SerialRun::Lock SerialRun::take_turn() {
  const std::thread::id self = std::this_thread::get_id();
  if (lender_.load(std::memory_order_relaxed) == self) {
    throw Error("this thread has a loan open; forward or destroy it first");
  }
  if (running_.load(std::memory_order_relaxed) == self) {
    throw Error("a stage of a serial pipeline cannot feed its own pipeline");
  }
  Lock lock(mutex_, std::try_to_lock);
  if (!lock && options_.block_input) {
    static_cast<void>(lock.try_lock_until(deadline_in(options_.input_timeout)));
  }
  return lock;
}

namespace {

/// Marks the thread that is inside the stages.
class Inside {
 public:
  explicit Inside(std::atomic<std::thread::id>& mark) : mark_(mark) {
    mark_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  ~Inside() { mark_.store({}, std::memory_order_relaxed); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  std::atomic<std::thread::id>& mark_;
};

}  // namespace

bool SerialRun::forward(const void* value, const ValueType& type, const std::stop_token& stop) {
  const Lock lock = take_turn();
  const auto patience = options_.block_input ? options_.input_timeout : std::chrono::nanoseconds(0);
  if (!lock || !results_.wait_for_room(patience, stop)) {
    return false;
  }
  const Inside inside(running_);
  chain_->process(value, type);
  return true;
}

std::size_t SerialRun::forward_all(const ValueType& type, const NextValue& next) {
  std::size_t taken = 0;
  while (const void* value = next()) {
    if (!forward(value, type, {})) {
      break;
    }
    ++taken;
  }
  return taken;
}

/// Keeps the pipeline's turn while it lives.
class SerialRun::Slot final : public LoanSlot {
 public:
  Slot(SerialRun& run, Lock lock, std::size_t size) : run_(run), lock_(std::move(lock)), bytes_(size) {
    run_.lender_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  ~Slot() override { run_.lender_.store({}, std::memory_order_relaxed); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  std::span<std::byte> bytes() override { return bytes_; }
  void send(std::size_t size) override {
    if (run_.stopped_) {
      throw PipelineUndefined("the pipeline of this loan was cleaned up");
    }
    const Inside inside(run_.running_);
    run_.chain_->process(std::span<const std::byte>(bytes_).first(size));
  }

 private:
  SerialRun& run_;
  Lock lock_;
  std::vector<std::byte> bytes_;
};

std::unique_ptr<LoanSlot> SerialRun::loan(std::size_t size) {
  Lock lock = take_turn();
  const auto patience = options_.block_input ? options_.input_timeout : std::chrono::nanoseconds(0);
  if (!lock || !results_.wait_for_room(patience, {})) {
    return nullptr;
  }
  return std::make_unique<Slot>(*this, std::move(lock), size);
}

bool SerialRun::drain(std::chrono::nanoseconds timeout) {
  const Lock lock(mutex_, deadline_in(timeout));
  return lock.owns_lock();
}

std::optional<RunTotals> SerialRun::wait(std::chrono::nanoseconds) {
  throw Error("wait() waits for the end of a source, and this pipeline has none");
}

std::vector<StageFigures> SerialRun::row_figures() const {
  const Lock lock(mutex_, deadline_in(options_.input_timeout));
  std::vector<StageFigures> all;
  for (std::size_t i = 0; i < row_.size(); ++i) {
    all.push_back({.key = row_keys_[i], .counts = chain_->counts(i)});
  }
  return all;
}

Profiles SerialRun::profiles() {
  Profiles profiles;
  if (session_) {
    profiles = session_->profiles();
  }
  add_profiles(row_figures(), topology_.pipeline_keys, profiles);
  return profiles;
}

PipelineStatus SerialRun::status() {
  PipelineStatus status;
  if (session_) {
    status = session_status(*session_);
  } else {
    for (const plan::PlacedStage& placed : topology_.stages) {
      status.stages.push_back({.key = placed.key, .pid = ::getpid()});
    }
  }
  for (const StageFigures& figures : row_figures()) {
    for (StageStatus& stage : status.stages) {
      stage.items = stage.key == figures.key ? figures.counts.items : stage.items;
    }
  }
  return status;
}

void SerialRun::stop() {
  stopped_ = true;
  if (session_) {
    session_->stop();
  }
  if (profile_) {
    profile_->end();
  }
  for (ItemAdapter* stage : row_) {
    try {
      stage->cleanup();
    } catch (...) {
      base::log(LogLevel::error, "cleanup() of a stage failed: " + base::exception_text());
    }
  }
}

}  // namespace pystream::api
