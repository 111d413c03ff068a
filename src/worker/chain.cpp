#include "worker/chain.hpp"

#include <algorithm>
#include <utility>

#include "worker/local_output.hpp"

namespace pystream::worker {

void StageClock::start(bool timing) {
  timing_ = timing;
  current_ = 0;
  if (!timing) {
    fresh_ = false;
    return;
  }
  if (!fresh_) {
    set(monitor_.now());
  }
  std::fill(spent_.begin(), spent_.end(), -1);
  if (!spent_.empty()) {
    spent_[0] = 0;
    starts_[0] = last_;
  }
}

void StageClock::lap() {
  const std::int64_t now = monitor_.now();
  spent_[current_] += now - last_;
  last_ = now;
}

void StageClock::stop(const Item::Tag& tag, std::uint64_t input, bool every) {
  if (spent_.empty()) {
    set(monitor_.now());
    return;
  }
  lap();
  for (std::size_t i = 0; i < spent_.size(); ++i) {
    if (spent_[i] >= 0) {
      const auto stage = first_ + static_cast<std::uint32_t>(i);
      recorder_.sample(stage, tag.sequence, input, starts_[i], spent_[i], every ? 1 : recorder_.weight());
      if (every) {
        const bool handed_over = i + 1 < spent_.size() && spent_[i + 1] >= 0;
        recorder_.add_time(stage, spent_[i]);
        recorder_.add_age(stage, (handed_over ? starts_[i + 1] : last_) - tag.entered_ns);
      }
    }
  }
}

/// The output of one stage that is the input of the next in the same process.
class Chain::Step final : public LocalOutput {
 public:
  Step(Chain& chain, std::size_t index, Flow& flow, bool numbering)
      : LocalOutput(flow.tag), chain_(chain), index_(index), flow_(flow), numbering_(numbering) {}

  void set_origin(const Item::Tag& tag) override {
    if (numbering_) {
      flow_.origin = tag;
    }
  }

 protected:
  void emit_value(const void* value, const ValueType& type) override {
    if (chain_.takers_[index_ + 1]->takes() == &type) {
      pass({tag(), value, type});
    } else {
      const std::size_t size = type.size(value);
      type.encode(value, reserve(size));
      emit_reserved(size);
    }
  }

  void pass(const Item& item) override {
    if (numbering_) {
      flow_.number_item();
      chain_.guard_->run_made(item);
    } else {
      chain_.run_behind(index_, item);
    }
  }

 private:
  Chain& chain_;
  std::size_t index_;
  Flow& flow_;
  bool numbering_;
};

Chain::Chain(std::vector<std::unique_ptr<StageAdapter>> stages, LinkOutput& out, Flow& flow, Monitor& monitor,
             profile::Recorder& recorder, std::uint32_t first)
    : stages_(std::move(stages)),
      source_(stages_.empty() ? nullptr : stages_.front()->source()),
      out_(out),
      recorder_(recorder),
      first_(first),
      clock_(monitor, recorder, first, stages_.size()),
      counts_(stages_.size()),
      item_counts_(stages_.size()),
      kept_counts_(stages_.size()),
      unshared_(stages_.size()) {
  for (std::size_t i = 0; i + 1 < stages_.size(); ++i) {
    steps_.push_back(std::make_unique<Step>(*this, i, flow, source_ != nullptr && i == 0));
  }
  flow.numbering = source_ != nullptr;
  out_.set_first(source_ != nullptr && stages_.size() == 1);
  for (const auto& stage : stages_) {
    takers_.push_back(stage->taker());
  }
}

Chain::~Chain() = default;

Output& Chain::output_of(std::size_t index) {
  return index + 1 < stages_.size() ? static_cast<Output&>(*steps_[index]) : out_;
}

/// What the stage `index` has emitted goes through those behind it.
void Chain::run_behind(std::size_t index, const Item& item) {
  clock_.enter(index + 1);
  ++item_counts_[index + 1];
  takers_[index + 1]->process(item, output_of(index + 1));
  if (takers_[index] != nullptr && takers_[index]->gives() != nullptr) {
    clock_.return_to(index);  // it gives one output at most, as the last thing it does
  } else {
    clock_.enter(index);
  }
}

void Chain::process(const Item& item) {
  if (stages_.empty()) {
    out_.forward(item);
    return;
  }
  clock_.begin();
  ++item_counts_[0];
  takers_[0]->process(item, output_of(0));
}

void Chain::flush_counts() {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) {
      recorder_.add_items(first_ + static_cast<std::uint32_t>(i), counts_[i]);
      unshared_[i] += std::exchange(counts_[i], 0);
    }
  }
}

void Chain::finish_item() {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] += std::exchange(item_counts_[i], 0);
    kept_counts_[i] = 0;
  }
}

void Chain::discard_item() {
  item_counts_ = kept_counts_;
}

void Chain::share_time(std::int64_t ns, std::int64_t age_ns) {
  double timed = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    timed += static_cast<double>(recorder_.timed_ns(first_ + static_cast<std::uint32_t>(i)));
  }
  const auto even_share = 1.0 / static_cast<double>(std::max<std::size_t>(stages_.size(), 1));
  const auto entered = static_cast<double>(stages_.empty() ? 0 : unshared_[0] + counts_[0]);
  double behind_ns = 0;  // spent by the stages behind
  for (std::size_t i = stages_.size(); i-- > 0;) {
    const auto stage = first_ + static_cast<std::uint32_t>(i);
    const double share = timed > 0 ? static_cast<double>(recorder_.timed_ns(stage)) / timed : even_share;
    const double spent_ns = share * static_cast<double>(ns);
    const auto came = static_cast<double>(unshared_[i] + counts_[i]);
    const double age = entered > 0 ? static_cast<double>(age_ns) * came / entered - behind_ns : 0;
    recorder_.add_time(stage, static_cast<std::int64_t>(spent_ns));
    recorder_.add_age(stage, static_cast<std::int64_t>(age));
    behind_ns += spent_ns;
    unshared_[i] = 0 - counts_[i];
  }
}

bool Chain::produce() {
  clock_.begin();
  return source_->produce(output_of(0));
}

}  // namespace pystream::worker
