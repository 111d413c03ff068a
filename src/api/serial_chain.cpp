#include "api/serial_chain.hpp"

#include <algorithm>
#include <pystream/error.hpp>
#include <string>

#include "base/clock.hpp"

namespace pystream::api {

/// The output of one stage: the input of the next, or the end of the chain.
class SerialChain::Step final : public Output {
 public:
  explicit Step(SerialChain& chain) : chain_(chain) {}

  /// `next` is nullptr behind the last stage; then everything goes to `out`.
  void connect(Hosted* next, Step* next_step, Output* out) {
    next_ = next;
    next_step_ = next_step;
    out_ = out;
    next_takes_ = next != nullptr ? next->takes() : nullptr;
  }

  std::span<std::byte> reserve(std::size_t size) override {
    scratch_.resize(std::max<std::size_t>(size, 1));
    reserved_ = size;
    return {scratch_.data(), size};
  }
  void emit_reserved(std::size_t size) override {
    if (size > reserved_) {
      throw Error("emit_reserved(" + std::to_string(size) + ") after reserve(" + std::to_string(reserved_) +
                  "); emit at most what was reserved");
    }
    pass({chain_.tag_, std::span<const std::byte>(scratch_.data(), size)});
  }
  void forward(const Item& in) override {
    if (in.unencoded() != nullptr) {
      emit_value(in.unencoded(), *in.unencoded_type());
    } else {
      pass({chain_.tag_, in.bytes()});
    }
  }

  void begin_item() {
    spent_ns_ = -1;
    ended_ns_ = 0;
  }
  void enter() {
    ++counts.items;
    if (chain_.timing_) {
      spent_ns_ = std::max<std::int64_t>(spent_ns_, 0);
    }
  }
  /// What passed since the last look was this stage's.
  void lap() {
    const std::int64_t now = base::now_ns();
    spent_ns_ += now - chain_.last_ns_;
    ended_ns_ = ended_ns_ == 0 ? now : ended_ns_;
    chain_.last_ns_ = now;
  }
  void end_item() {
    if (spent_ns_ < 0) {
      return;
    }
    ++counts.timed;
    counts.timed_ns += static_cast<std::uint64_t>(spent_ns_);
    counts.age_ns += static_cast<std::uint64_t>(std::max<std::int64_t>(ended_ns_ - chain_.tag_.entered_ns, 0));
    counts.first_end_ns = counts.first_end_ns == 0 ? ended_ns_ : counts.first_end_ns;
    counts.last_end_ns = ended_ns_;
  }

  Counts counts;

 protected:
  void emit_value(const void* value, const ValueType& type) override {
    if (next_takes_ == &type) {
      pass({chain_.tag_, value, type});
    } else {
      encode(value, type);
    }
  }
  void emit_expiring(void* value, const ValueType& type) override {
    if (next_takes_ == &type) {
      pass(Item::expiring(chain_.tag_, value, type));
    } else {
      encode(value, type);
    }
  }

 private:
  void encode(const void* value, const ValueType& type) {
    if (next_ == nullptr) {
      pass({chain_.tag_, value, type});  // the end encodes by itself, straight to where the result is kept
      return;
    }
    const std::size_t size = type.size(value);
    type.encode(value, reserve(size));
    emit_reserved(size);
  }
  void pass(const Item& item) {
    if (chain_.timing_) {
      lap();
    }
    if (next_ == nullptr) {
      out_->forward(item);
    } else {
      next_step_->enter();
      next_->process(item, *next_step_);
    }
    if (chain_.timing_) {
      if (next_ != nullptr) {
        next_step_->lap();
      } else {
        chain_.last_ns_ = base::now_ns();
      }
    }
  }

  SerialChain& chain_;
  Hosted* next_ = nullptr;
  Step* next_step_ = nullptr;
  Output* out_ = nullptr;
  const ValueType* next_takes_ = nullptr;
  std::int64_t spent_ns_ = -1;  ///< -1: this item did not get so far
  std::int64_t ended_ns_ = 0;   ///< when the stage first handed over
  std::size_t reserved_ = 0;
  std::vector<std::byte> scratch_;
};

SerialChain::SerialChain(std::vector<Hosted*> stages, Output& out, bool timing)
    : front_(stages.front()), front_takes_(stages.front()->takes()), timing_(timing) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    steps_.push_back(std::make_unique<Step>(*this));
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const bool last = i + 1 == stages.size();
    steps_[i]->connect(last ? nullptr : stages[i + 1], last ? nullptr : steps_[i + 1].get(), &out);
  }
}

SerialChain::~SerialChain() = default;

const SerialChain::Counts& SerialChain::counts(std::size_t stage) const {
  return steps_.at(stage)->counts;
}

void SerialChain::begin() {
  tag_ = {.sequence = next_sequence_++, .part = 0, .attempt = 1, .entered_ns = base::now_ns()};
  if (timing_) {
    for (const auto& step : steps_) {
      step->begin_item();
    }
    last_ns_ = tag_.entered_ns;
  }
}

void SerialChain::run(const Item& item) {
  steps_.front()->enter();
  front_->process(item, *steps_.front());
  if (timing_) {
    steps_.front()->lap();
    for (const auto& step : steps_) {
      step->end_item();
    }
  }
}

void SerialChain::process(const void* value, const ValueType& type) {
  begin();
  if (front_takes_ == &type) {
    run({tag_, value, type});
    return;
  }
  scratch_.resize(std::max<std::size_t>(type.size(value), 1));
  const std::span<std::byte> bytes(scratch_.data(), type.size(value));
  type.encode(value, bytes);
  run({tag_, bytes});
}

void SerialChain::process(std::span<const std::byte> bytes) {
  begin();
  run({tag_, bytes});
}

}  // namespace pystream::api
