#include "worker/chain.hpp"

#include <algorithm>
#include <pystream/error.hpp>

namespace pystream::worker {

void StageClock::start(bool timing) {
  timing_ = timing;
  current_ = 0;
  if (timing) {
    std::fill(spent_.begin(), spent_.end(), -1);
    std::fill(ended_.begin(), ended_.end(), 0);
    if (!spent_.empty()) {
      spent_[0] = 0;
    }
    last_ = base::now_ns();
  }
}

void StageClock::lap() {
  const std::int64_t now = base::now_ns();
  spent_[current_] += now - last_;
  ended_[current_] = ended_[current_] == 0 ? now : ended_[current_];
  last_ = now;
}

std::int64_t StageClock::stop(std::int64_t entered_ns) {
  if (!timing_) {
    return 0;
  }
  if (spent_.empty()) {
    return base::now_ns();
  }
  lap();
  for (std::size_t i = 0; i < spent_.size(); ++i) {
    if (spent_[i] >= 0) {
      monitor_.record(first_ + static_cast<std::uint32_t>(i), spent_[i], ended_[i] - entered_ns);
    }
  }
  return last_;
}

/// The output of one stage that is the input of the next in the same process.
class Chain::Step final : public Output {
 public:
  Step(Chain& chain, std::size_t index, Flow& flow, bool numbering)
      : chain_(chain), index_(index), flow_(flow), numbering_(numbering) {}

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
    pass({flow_.tag, std::span<const std::byte>(scratch_.data(), size)});
  }
  void forward(const Item& in) override {
    if (in.unencoded() != nullptr) {
      emit_value(in.unencoded(), *in.unencoded_type());
    } else {
      pass({flow_.tag, in.bytes()});
    }
  }

 protected:
  void emit_value(const void* value, const ValueType& type) override {
    if (chain_.hosted_[index_ + 1]->takes() == &type) {
      pass({flow_.tag, value, type});
    } else {
      const std::size_t size = type.size(value);
      type.encode(value, reserve(size));
      emit_reserved(size);
    }
  }
  void emit_expiring(void* value, const ValueType& type) override {
    if (chain_.hosted_[index_ + 1]->takes() == &type) {
      pass(Item::expiring(flow_.tag, value, type));
    } else {
      emit_value(value, type);
    }
  }

 private:
  void pass(const Item& item) {
    if (numbering_) {
      flow_.number_item();
    }
    chain_.clock_.enter(index_ + 1);
    ++chain_.counts_[index_ + 1];
    chain_.hosted_[index_ + 1]->process(item, chain_.output_of(index_ + 1));
    chain_.clock_.enter(index_);
  }

  Chain& chain_;
  std::size_t index_;
  Flow& flow_;
  bool numbering_;
  std::size_t reserved_ = 0;
  std::vector<std::byte> scratch_;
};

Chain::Chain(std::vector<std::unique_ptr<Hosted>> hosted, bool with_source, LinkOutput& out, Flow& flow,
             Monitor& monitor, std::uint32_t first)
    : hosted_(std::move(hosted)),
      out_(out),
      monitor_(monitor),
      first_(first),
      clock_(monitor, first, hosted_.size()),
      counts_(hosted_.size()) {
  for (std::size_t i = 0; i + 1 < hosted_.size(); ++i) {
    steps_.push_back(std::make_unique<Step>(*this, i, flow, with_source && i == 0));
  }
  flow.numbering = with_source;
  out_.set_first(with_source && hosted_.size() == 1);
}

Chain::~Chain() = default;

Output& Chain::output_of(std::size_t index) {
  return index + 1 < hosted_.size() ? static_cast<Output&>(*steps_[index]) : out_;
}

void Chain::process(const Item& item) {
  if (hosted_.empty()) {
    out_.forward(item);
    return;
  }
  clock_.enter(0);
  ++counts_[0];
  hosted_[0]->process(item, output_of(0));
}

void Chain::flush_counts() {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) {
      monitor_.add_items(first_ + static_cast<std::uint32_t>(i), counts_[i]);
      counts_[i] = 0;
    }
  }
}

bool Chain::produce() {
  clock_.enter(0);
  return hosted_[0]->produce(output_of(0));
}

}  // namespace pystream::worker
