#pragma once

#include <functional>
#include <string>
#include <vector>

/// What the benchmark programs share: contenders measured in turn, a table for people, every single value as JSON for
/// scripts/bench_report.py, which knows the targets.
namespace pystream::bench {

/// One way of doing a piece of work. `run` is one repetition and gives the figure.
struct Contender {
  std::string name;
  std::function<double()> run;
};

class Bench {
 public:
  /// Arguments of every program: [--short] [--repetitions N] [--only TEXT] [--json FILE]. `--only` measures what has
  /// TEXT in "subject/contender". Ends the process if they are wrong.
  Bench(std::string work, int argc, char** argv);

  /// Less work for each figure, so that all programs together take under two minutes.
  bool is_short() const { return short_; }
  /// `full`, or so much less in short mode.
  template <class Count>
  Count scaled(Count full, Count shortened) const {
    return short_ ? shortened : full;
  }

  /// Runs the contenders in turn, as many rounds as there are repetitions: what disturbs the machine for a while
  /// disturbs them all.
  void measure(const std::string& subject, const std::string& unit, const std::vector<Contender>& contenders);
  /// A figure that was measured some other way.
  void add(const std::string& subject, const std::string& unit, const std::string& contender, double value);
  bool wants(const std::string& subject, const std::string& contender) const;
  int repetitions() const { return repetitions_; }

  /// A peer that is not installed is named, not measured.
  void missing(const std::string& peer, const std::string& package);

  /// Prints the table, writes the JSON. The exit code of the program.
  int finish() const;

 private:
  struct Series {
    std::string subject, unit, contender;
    std::vector<double> values;
  };
  void write_json() const;

  std::string work_;
  bool short_ = false;
  int repetitions_ = 0;
  std::string only_;
  std::string json_;
  std::vector<Series> series_;
  std::vector<std::string> missing_;
};

double median(std::vector<double> values);
/// Where the median of all such values lies in 19 of 20 cases, by the sign test: nothing is supposed about how they
/// scatter. Fewer than six values cannot tell that; then it is from the least to the most of them.
struct Interval {
  double low = 0;
  double high = 0;
};
Interval median_interval(std::vector<double> values);
/// The value below which `share` of them lie.
double quantile(std::vector<double>& values, double share);

}  // namespace pystream::bench
