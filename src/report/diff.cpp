#include "report/diff.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <random>

#include "base/number_text.hpp"
#include "plan/stage_names.hpp"
#include "profile/histogram.hpp"
#include "shm/profile_abi.hpp"

namespace pystream::report {
namespace {

constexpr std::size_t kDrawings = 1000;
constexpr std::array<std::pair<Metric, std::string_view>, 7> kMetrics{{{Metric::mean, "mean"},
                                                                       {Metric::p50, "p50"},
                                                                       {Metric::p90, "p90"},
                                                                       {Metric::p99, "p99"},
                                                                       {Metric::p999, "p99.9"},
                                                                       {Metric::max, "max"},
                                                                       {Metric::throughput, "throughput"}}};

/// Some windows of one key together.
struct Block {
  double items = 0, span_s = 0, samples = 0, timed = 0, timed_ns = 0, total_ns = 0, max_ns = 0;
  std::vector<double> histogram = std::vector<double>(shm::kBuckets);

  void add(const Block& other) {
    items += other.items;
    span_s += other.span_s;
    samples += other.samples;
    timed += other.timed;
    timed_ns += other.timed_ns;
    total_ns += other.total_ns;
    max_ns = std::max(max_ns, other.max_ns);
    for (std::size_t i = 0; i < histogram.size(); ++i) {
      histogram[i] += other.histogram[i];
    }
  }
};

Block block_of(const store::WindowFigures& window) {
  Block block{.items = static_cast<double>(window.items),
              .span_s = window.span_s,
              .samples = window.samples,
              .timed = window.timed,
              .timed_ns = window.timed_ns,
              .total_ns = window.total_ns,
              .max_ns = window.max_ns};
  for (const auto& [bucket, items] : window.histogram) {
    if (bucket < block.histogram.size()) {
      block.histogram[bucket] += items;
    }
  }
  return block;
}

double value_of(const Block& block, Metric metric) {
  switch (metric) {
    case Metric::mean:
      if (block.total_ns <= 0) {  // a pipeline in version 1 of the schema
        return block.timed > 0 ? block.timed_ns / block.timed * 1e-9 : 0;
      }
      return block.items > 0 ? block.total_ns / block.items * 1e-9 : 0;
    case Metric::p50:
      return profile::interpolated_percentile_s(block.histogram, 0.5);
    case Metric::p90:
      return profile::interpolated_percentile_s(block.histogram, 0.9);
    case Metric::p99:
      return profile::interpolated_percentile_s(block.histogram, 0.99);
    case Metric::p999:
      return profile::interpolated_percentile_s(block.histogram, 0.999);
    case Metric::max:
      return block.max_ns * 1e-9;
    case Metric::throughput:
      return block.span_s > 0 ? block.items / block.span_s : 0;
  }
  return 0;
}

class Run {
 public:
  explicit Run(const store::KeyWindows& key) {
    const std::size_t count = key.windows.size();
    const std::size_t blocks = std::min(count, kBlocks);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = i * blocks / count;
      if (at >= blocks_.size()) {
        blocks_.emplace_back();
      }
      blocks_[at].add(block_of(key.windows[i]));
    }
    for (const Block& block : blocks_) {
      all_.add(block);
    }
  }

  bool empty() const { return all_.items <= 0; }
  bool by_items() const { return blocks_.size() < kFewestBlocks; }
  double value(Metric metric) const { return value_of(all_, metric); }

  Block draw(std::mt19937_64& random) const {
    Block drawn;
    if (!by_items()) {
      std::uniform_int_distribution<std::size_t> pick(0, blocks_.size() - 1);
      for (std::size_t i = 0; i < blocks_.size(); ++i) {
        drawn.add(blocks_[pick(random)]);
      }
      return drawn;
    }
    drawn = all_;
    // Sampled items scatter as so many of them do, not as those that they stand for.
    const double seen = all_.timed > 0 ? std::clamp(all_.samples / all_.timed, 1e-9, 1.0) : 1;
    double timed = 0;
    double timed_ns = 0;
    for (std::size_t i = 0; i < drawn.histogram.size(); ++i) {
      if (drawn.histogram[i] > 0) {
        drawn.histogram[i] =
            static_cast<double>(std::poisson_distribution<long>(drawn.histogram[i] * seen)(random)) / seen;
        timed += drawn.histogram[i];
        timed_ns += drawn.histogram[i] * shm::bucket_middle(i);
      }
    }
    if (timed > 0 && all_.timed > 0) {
      const double scale = (timed_ns / timed) / histogram_mean();
      drawn.timed_ns = all_.timed_ns * scale;
      drawn.total_ns = all_.total_ns * scale;
      drawn.items = all_.items * timed / all_.timed;
      drawn.total_ns *= drawn.items / all_.items;
    }
    return drawn;
  }

 private:
  double histogram_mean() const {
    double items = 0;
    double sum = 0;
    for (std::size_t i = 0; i < all_.histogram.size(); ++i) {
      items += all_.histogram[i];
      sum += all_.histogram[i] * shm::bucket_middle(i);
    }
    return items > 0 && sum > 0 ? sum / items : 1;
  }

  std::vector<Block> blocks_;
  Block all_;
};

double relative(double before, double after) {
  return before > 0 ? after / before - 1 : 0;
}

void add_changes(Comparison& comparison, const std::string& key, const Run& before, const Run& after,
                 const std::vector<Metric>& metrics) {
  std::mt19937_64 random(20240607);  // the same answer for the same data
  std::vector<std::vector<double>> drawn(metrics.size());
  for (std::size_t i = 0; i < kDrawings; ++i) {
    const Block a = before.draw(random);
    const Block b = after.draw(random);
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      drawn[m].push_back(relative(value_of(a, metrics[m]), value_of(b, metrics[m])));
    }
  }
  for (std::size_t m = 0; m < metrics.size(); ++m) {
    std::sort(drawn[m].begin(), drawn[m].end());
    Change change{
        .key = key, .metric = metrics[m], .before = before.value(metrics[m]), .after = after.value(metrics[m])};
    change.change = relative(change.before, change.after);
    change.low = drawn[m][kDrawings * 25 / 1000];
    change.high = drawn[m][kDrawings * 975 / 1000 - 1];
    comparison.changes.push_back(std::move(change));
  }
  comparison.by_items |= before.by_items() || after.by_items();
}

const store::KeyWindows* find(const std::vector<store::KeyWindows>& keys, const std::string& key) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const store::KeyWindows& k) { return k.key == key; });
  return found != keys.end() ? &*found : nullptr;
}

std::string signed_percent(double change) {
  return (std::signbit(change) ? "" : "+") + base::percent_text(change);
}

std::string shown(Metric metric, double value) {
  return metric == Metric::throughput ? base::number_text(value) + "/s" : base::time_text(value);
}

}  // namespace

std::string_view to_string(Metric metric) {
  for (const auto& [known, name] : kMetrics) {
    if (known == metric) {
      return name;
    }
  }
  return "mean";
}

FailCondition parse_fail_condition(const std::string& text) {
  const auto refuse = [&]() -> Error {
    return Error("\"" + text +
                 "\" is no condition: expected a metric (mean, p50, p90, p99, p99.9, max, throughput), > or <, and a "
                 "change in percent, such as 'p99>+10%', 'throughput<-5%' or 'Decode:mean>+20%'");
  };
  FailCondition condition{.text = text};
  std::string rest = text;
  if (const auto colon = rest.rfind(':'); colon != std::string::npos) {
    condition.key = rest.substr(0, colon);
    rest = rest.substr(colon + 1);
  }
  const auto sign = rest.find_first_of("<>");
  if (sign == std::string::npos || !rest.ends_with("%")) {
    throw refuse();
  }
  condition.greater = rest[sign] == '>';
  const std::string name = rest.substr(0, sign);
  const auto metric = std::find_if(kMetrics.begin(), kMetrics.end(), [&](const auto& m) { return m.second == name; });
  std::string_view number = std::string_view(rest).substr(sign + 1);
  number.remove_suffix(1);
  const bool negative = number.starts_with("-");
  if (number.starts_with("+") || negative) {
    number.remove_prefix(1);
  }
  double percent = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), percent);
  if (metric == kMetrics.end() || error != std::errc() || end != number.data() + number.size() || number.empty() ||
      !std::isfinite(percent)) {
    throw refuse();
  }
  condition.metric = metric->first;
  condition.change = (negative ? -percent : percent) / 100;
  return condition;
}

Comparison compare(const std::vector<store::KeyWindows>& before, const std::vector<store::KeyWindows>& after,
                   const std::vector<Metric>& metrics) {
  Comparison comparison;
  for (const store::KeyWindows& key : before) {
    const store::KeyWindows* other = find(after, key.key);
    if (other == nullptr) {
      comparison.only_before.push_back(key.key);
      continue;
    }
    const Run a(key);
    const Run b(*other);
    if (!a.empty() && !b.empty()) {
      add_changes(comparison, key.key, a, b, metrics);
    }
  }
  for (const store::KeyWindows& key : after) {
    if (find(before, key.key) == nullptr) {
      comparison.only_after.push_back(key.key);
    }
  }
  return comparison;
}

std::vector<std::string> failures(const Comparison& comparison, const std::vector<FailCondition>& conditions) {
  std::vector<std::string> keys;
  for (const Change& change : comparison.changes) {
    if (std::ranges::find(keys, change.key) == keys.end()) {  // one change for each metric
      keys.push_back(change.key);
    }
  }
  std::vector<std::string> lines;
  for (const FailCondition& condition : conditions) {
    const std::string key = condition.key.empty() ? "" : plan::key_named(condition.key, keys, "both runs");
    for (const Change& change : comparison.changes) {
      const bool meant = change.metric == condition.metric && (key.empty() || key == change.key);
      const bool beyond = condition.greater ? change.change > condition.change : change.change < condition.change;
      const bool certain = condition.greater ? change.low > std::min(condition.change, 0.0)
                                             : change.high < std::max(condition.change, 0.0);
      if (meant && beyond && certain) {
        lines.push_back(condition.text + ": " + std::string(to_string(change.metric)) + " of " +
                        plan::short_key(change.key) + " changed by " + signed_percent(change.change) +
                        " (95 %: " + signed_percent(change.low) + " to " + signed_percent(change.high) + ")");
      }
    }
  }
  return lines;
}

std::string to_table(const Comparison& comparison, const base::TextTable::Look& look) {
  base::TextTable table({{.title = "key", .cut = base::TextTable::Cut::middle},
                         {.title = "metric"},
                         {.title = "before", .right = true},
                         {.title = "after", .right = true},
                         {.title = "change", .right = true},
                         {.title = "95 % of drawings", .right = true, .drop = 1}});
  for (const Change& change : comparison.changes) {
    table.add({plan::short_key(change.key), std::string(to_string(change.metric)), shown(change.metric, change.before),
               shown(change.metric, change.after), signed_percent(change.change) + (change.real() ? " *" : "  "),
               signed_percent(change.low) + " .. " + signed_percent(change.high)});
  }
  std::string notes = "* not explained by noise\n";
  for (const std::string& key : comparison.only_before) {
    notes += "only in the first run: " + plan::short_key(key) + "\n";
  }
  for (const std::string& key : comparison.only_after) {
    notes += "only in the second run: " + plan::short_key(key) + "\n";
  }
  if (comparison.by_items) {
    notes += "A run has fewer than " + std::to_string(kFewestBlocks) +
             " windows: the intervals take items as independent and are too narrow. Run longer for a gate.\n";
  }
  return table.text(look) + base::lines_within(notes, look);
}

}  // namespace pystream::report
