#include "bench/harness.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace pystream::bench {
namespace {

constexpr int kRepetitions = 7;
constexpr int kShortRepetitions = 5;

[[noreturn]] void refuse(const std::string& work, const std::string& why) {
  std::fprintf(stderr, "%s: %s\nusage: [--short] [--repetitions N] [--only TEXT] [--json FILE]\n", work.c_str(),
               why.c_str());
  std::exit(2);
}

}  // namespace

double median(std::vector<double> values) {
  return quantile(values, 0.5);
}

double quantile(std::vector<double>& values, double share) {
  if (values.empty()) {
    return 0;
  }
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

Interval median_interval(std::vector<double> values) {
  if (values.empty()) {
    return {};
  }
  std::sort(values.begin(), values.end());
  constexpr double kOutside = 0.025;  // on each side
  // As many values below the median as heads in so many tosses of a coin.
  const auto count = static_cast<double>(values.size());
  double exactly = std::pow(0.5, count);
  double at_most = exactly;
  std::size_t rank = 0;
  while (at_most <= kOutside) {
    ++rank;
    exactly *= (count - static_cast<double>(rank) + 1) / static_cast<double>(rank);
    at_most += exactly;
  }
  const std::size_t first = rank > 0 ? rank - 1 : 0;
  return {.low = values[first], .high = values[values.size() - 1 - first]};
}

Bench::Bench(std::string work, int argc, char** argv) : work_(std::move(work)) {
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--short") {
      short_ = true;
      continue;
    }
    if (i + 1 == argc) {
      refuse(work_, "\"" + option + "\" is no option, or lacks its value");
    }
    const char* value = argv[++i];
    if (option == "--repetitions") {
      repetitions_ = std::atoi(value);
      if (repetitions_ < 1) {
        refuse(work_, "--repetitions wants a number of at least 1");
      }
    } else if (option == "--only") {
      only_ = value;
    } else if (option == "--json") {
      json_ = value;
    } else {
      refuse(work_, "\"" + option + "\" is no option");
    }
  }
  if (repetitions_ == 0) {
    repetitions_ = short_ ? kShortRepetitions : kRepetitions;
  }
}

bool Bench::wants(const std::string& subject, const std::string& contender) const {
  return (subject + "/" + contender).find(only_) != std::string::npos;
}

void Bench::measure(const std::string& subject, const std::string& unit, const std::vector<Contender>& contenders) {
  for (int round = 0; round < repetitions_; ++round) {
    for (const Contender& contender : contenders) {
      if (wants(subject, contender.name)) {
        add(subject, unit, contender.name, contender.run());
      }
    }
  }
}

void Bench::add(const std::string& subject, const std::string& unit, const std::string& contender, double value) {
  auto found = std::find_if(series_.begin(), series_.end(), [&](const Series& one) {
    return one.subject == subject && one.unit == unit && one.contender == contender;
  });
  if (found == series_.end()) {
    series_.push_back({.subject = subject, .unit = unit, .contender = contender, .values = {}});
    found = series_.end() - 1;
  }
  found->values.push_back(value);
}

void Bench::missing(const std::string& peer, const std::string& package) {
  missing_.push_back(peer + " (" + package + ")");
}

int Bench::finish() const {
  std::printf("%s: medians, least and most, [95 %% interval of the median]\n", work_.c_str());
  for (const Series& one : series_) {
    const auto [low, high] = std::minmax_element(one.values.begin(), one.values.end());
    const Interval interval = median_interval(one.values);
    std::printf("  %-16s %-36s %14.5g  %12.5g .. %-12.5g [%.4g, %.4g] %s\n", one.subject.c_str(), one.contender.c_str(),
                median(one.values), *low, *high, interval.low, interval.high, one.unit.c_str());
  }
  for (const std::string& peer : missing_) {
    std::printf("  not installed: %s\n", peer.c_str());
  }
  if (!json_.empty()) {
    write_json();
  }
  return EXIT_SUCCESS;
}

void Bench::write_json() const {
  nlohmann::json out{{"work", work_}, {"short", short_}, {"missing", missing_}, {"series", nlohmann::json::array()}};
  for (const Series& one : series_) {
    const Interval interval = median_interval(one.values);
    out["series"].push_back({{"subject", one.subject},
                             {"unit", one.unit},
                             {"contender", one.contender},
                             {"values", one.values},
                             {"interval", {interval.low, interval.high}}});
  }
  std::ofstream file(json_);
  file << out.dump(1) << '\n';
  if (!file.flush()) {
    std::fprintf(stderr, "%s: cannot write %s\n", work_.c_str(), json_.c_str());
    std::exit(EXIT_FAILURE);
  }
}

}  // namespace pystream::bench
