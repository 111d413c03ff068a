#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Prometheus' text format, version 0.0.4.
namespace pystream::serve {

/// The labels of a sample, as the format has them.
class Labels {
 public:
  /// A copy with one more. A label without a value is the same as none, so an empty one is left out.
  [[nodiscard]] Labels with(std::string_view name, std::string_view value) const;
  /// In braces; empty if there are none.
  std::string text() const { return inside_.empty() ? std::string() : "{" + inside_ + "}"; }

 private:
  std::string inside_;
};

/// Writes families of metrics one after another. All samples of a family stand together, behind its help and type.
///
///     Exposition out;
///     out.begin("pystream_stage_items_total", "counter", "Items that the stage has done.");
///     out.add(Labels().with("stage", "Encode"), 12);
class Exposition {
 public:
  /// `name` and `type` are of this program; `help` is one line.
  void begin(std::string_view name, std::string_view type, std::string_view help);
  void add(const Labels& labels, double value);
  void add(const Labels& labels, std::uint64_t value);
  /// A sample of the family whose name has `suffix` behind it: those of a histogram.
  void add_part(std::string_view suffix, const Labels& labels, double value);
  void add_part(std::string_view suffix, const Labels& labels, std::uint64_t value);
  const std::string& text() const { return text_; }

 private:
  void add_line(std::string_view suffix, const Labels& labels, const std::string& value);

  std::string name_;
  std::string text_;
};

/// As the format writes numbers.
std::string metric_number(double value);

}  // namespace pystream::serve
