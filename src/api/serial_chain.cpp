#include "api/serial_chain.hpp"

#include <algorithm>

#include "worker/local_output.hpp"

namespace pystream::api {

/// Where a stage of any number of outputs puts them: each runs through what is behind it.
class SerialChain::StepOutput final : public worker::LocalOutput {
 public:
  StepOutput(SerialChain& chain, std::size_t index) : LocalOutput(chain.tag_), chain_(chain), index_(index) {}

 protected:
  void emit_value(const void* value, const ValueType& type) override { emit(value, type, false); }
  void emit_expiring(void* value, const ValueType& type) override { emit(value, type, true); }
  void pass(const Item& item) override {
    if (chain_.timing_) {
      chain_.lap(chain_.steps_[index_]);
    }
    chain_.run_from(index_ + 1, item);
  }

 private:
  void emit(const void* value, const ValueType& type, bool expiring) {
    if (is_last()) {
      pass({tag(), value, type});
    } else {
      pass(chain_.input_of(chain_.steps_[index_ + 1], value, type, expiring));
    }
  }
  bool is_last() const { return index_ + 1 == chain_.steps_.size(); }

  SerialChain& chain_;
  std::size_t index_;
};

namespace {

/// Measured once: it takes some milliseconds.
base::TickRate tick_rate() {
  static const base::TickRate kRate = base::measure_tick_rate();
  return kRate;
}

}  // namespace

SerialChain::SerialChain(const std::vector<ItemAdapter*>& stages, Output& out, bool timing)
    : out_(out), timing_(timing), clock_(tick_rate()) {
  for (ItemAdapter* stage : stages) {
    const bool gives = stage->gives() != nullptr;
    outputs_.push_back(gives ? nullptr : std::make_unique<StepOutput>(*this, steps_.size()));
    steps_.push_back({.stage = stage, .takes = stage->takes(), .gives = stage->gives()});
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].hands_over = i + 1 == steps_.size() || steps_[i].gives == steps_[i + 1].takes;
  }
}

SerialChain::~SerialChain() = default;

void SerialChain::record_to(SerialProfile& profile, const std::vector<std::optional<std::uint32_t>>& numbers) {
  profile_ = &profile;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].number = numbers.at(i);
  }
}

/// The time since the last reading was this stage's.
void SerialChain::lap(Step& step) {
  const std::int64_t now = clock_.now();
  step.spent_ns = std::max<std::int64_t>(step.spent_ns, 0) + now - last_ns_;
  step.ended_ns = step.ended_ns == 0 ? now : step.ended_ns;
  last_ns_ = now;
}

/// A value as the stage of `step` takes it: encoded if it wants another type or bytes.
Item SerialChain::input_of(Step& step, const void* value, const ValueType& type, bool expiring) {
  if (step.takes == &type) {
    return expiring ? Item::expiring(tag_, const_cast<void*>(value), type) : Item(tag_, value, type);
  }
  const std::size_t size = type.size(value);
  step.encoded.resize(std::max<std::size_t>(size, 1));
  const std::span<std::byte> bytes(step.encoded.data(), size);
  type.encode(value, bytes);
  return {tag_, bytes};
}

void SerialChain::run_from(std::size_t index, Item item) {
  for (; index < steps_.size(); ++index) {
    Step& step = steps_[index];
    ++step.counts.items;
    if (step.gives == nullptr) {
      step.stage->process(item, *outputs_[index]);
      if (timing_) {
        lap(step);
      }
      return;
    }
    void* given = step.stage->give(item);
    if (timing_) {
      lap(step);
    }
    if (given == nullptr) {
      return;
    }
    if (step.hands_over) {
      item.become(given, *step.gives);
    } else {
      item = input_of(steps_[index + 1], given, *step.gives, true);
    }
  }
  out_.forward(item);
  ++came_out_;
  if (timing_) {
    last_ns_ = clock_.now();
  }
}

void SerialChain::begin() {
  tag_ = {.sequence = next_sequence_++, .part = 0, .attempt = 1, .entered_ns = clock_.now()};
  if (timing_) {
    for (Step& step : steps_) {
      step.spent_ns = -1;
      step.ended_ns = 0;
    }
    last_ns_ = tag_.entered_ns;
    came_out_ = 0;
  }
}

void SerialChain::end() {
  for (Step& step : steps_) {
    if (step.spent_ns < 0) {
      continue;
    }
    StageCounts& counts = step.counts;
    ++counts.timed;
    counts.timed_ns += static_cast<std::uint64_t>(step.spent_ns);
    counts.age_ns += static_cast<std::uint64_t>(std::max<std::int64_t>(step.ended_ns - tag_.entered_ns, 0));
    counts.first_end_ns = counts.first_end_ns == 0 ? step.ended_ns : counts.first_end_ns;
    counts.last_end_ns = step.ended_ns;
    if (profile_ != nullptr && step.number) {
      profile_->add(*step.number, tag_, step.ended_ns, step.spent_ns);
    }
  }
  if (profile_ != nullptr) {
    profile_->finish(tag_, came_out_, last_ns_);
  }
}

void SerialChain::process(const void* value, const ValueType& type) {
  begin();
  run_from(0, input_of(steps_.front(), value, type, false));
  if (timing_) {
    end();
  }
}

void SerialChain::process(std::span<const std::byte> bytes) {
  begin();
  run_from(0, {tag_, bytes});
  if (timing_) {
    end();
  }
}

}  // namespace pystream::api
