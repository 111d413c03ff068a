#include "report/report_charts.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/escaped_text.hpp"
#include "base/number_text.hpp"
#include "plan/stage_names.hpp"
#include "shm/profile_abi.hpp"

namespace pystream::report {
namespace {

constexpr std::array<const char*, 10> kColours{"#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed",
                                               "#0891b2", "#be185d", "#65a30d", "#475569", "#ea580c"};

std::string number(double value) {
  return base::fixed_text(value, 2);
}

/// A place on a time axis with marks every `step` seconds.
std::string seconds(double value, double step) {
  return base::fixed_text(value, step < 0.1 ? 2 : step < 1 ? 1 : 0) + " s";
}

std::string text_at(double x, double y, std::string_view text, const std::string& attributes = {}) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" " + attributes + ">" + base::html_text(text) +
         "</text>";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& attributes) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
         "\" " + attributes + "/>";
}

std::string rectangle(double x, double y, double width, double height, const std::string& attributes,
                      const std::string& title = {}) {
  return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(std::max(width, 0.0)) +
         "\" height=\"" + number(std::max(height, 0.0)) + "\" " + attributes +
         (title.empty() ? "/>" : "><title>" + base::html_text(title) + "</title></rect>");
}

std::string svg(double width, double height, const std::string& content, const std::string& label) {
  return "<svg viewBox=\"0 0 " + number(width) + " " + number(height) + "\" role=\"img\" aria-label=\"" +
         base::html_text(label) + "\" style=\"max-width:" + number(width) + "px\">" + content + "</svg>\n";
}

/// From pale to red with the share of time a worker works.
std::string heat(double share) {
  const double s = std::clamp(share, 0.0, 1.0);
  return "hsl(" + number(48 - 44 * s) + ",90%," + number(92 - 36 * s) + "%)";
}

/// A number of the form 1, 2 or 5 times a power of ten, not less than `value`.
double round_number(double value) {
  if (value <= 0) {
    return 1;
  }
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (value <= factor * power * 1.0000001) {
      return factor * power;
    }
  }
  return 10 * power;
}

struct WorkerBox {
  std::string name;
  double working = 0;
  double waiting = 0;
  double blocked = 0;
  std::uint32_t restarts = 0;
  bool bottleneck = false;
  std::vector<const profile::KeySummary*> stages;
};

std::vector<WorkerBox> workers_of(const profile::RunSummary& summary) {
  std::vector<WorkerBox> boxes;
  for (const profile::KeySummary& key : summary.keys) {
    if (key.role == "pipeline") {
      continue;
    }
    auto box = std::find_if(boxes.begin(), boxes.end(), [&](const WorkerBox& b) { return b.name == key.worker; });
    if (box == boxes.end()) {
      boxes.push_back({.name = key.worker,
                       .working = key.working,
                       .waiting = key.waiting,
                       .blocked = key.blocked,
                       .restarts = key.restarts});
      box = boxes.end() - 1;
    }
    box->bottleneck |= key.bottleneck;
    box->stages.push_back(&key);
  }
  return boxes;
}

std::string shortened(const std::string& text, std::size_t length) {
  return text.size() <= length ? text : text.substr(0, length - 1) + "…";
}

}  // namespace

std::string graph_chart(const ReportData& data) {
  constexpr double kBoxWidth = 172, kGap = 74, kRow = 118, kMargin = 12;
  constexpr std::size_t kPerRow = 5;
  const std::vector<WorkerBox> boxes = workers_of(data.summary);
  std::size_t most = 1;
  for (const WorkerBox& box : boxes) {
    most = std::max(most, box.stages.size());
  }
  const double box_height = 50 + 16.0 * static_cast<double>(std::min<std::size_t>(most, 8));
  const double row_height = std::max(kRow, box_height + 44);
  const auto place = [&](std::size_t i) {
    const std::size_t row = i / kPerRow;
    return std::pair(kMargin + static_cast<double>(i % kPerRow) * (kBoxWidth + kGap),
                     kMargin + 14 + static_cast<double>(row) * row_height);
  };
  std::string content =
      "<defs><marker id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" "
      "orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" class=\"ink\"/></marker></defs>";
  for (const ReportLink& link : data.links) {
    const auto index = [&](const std::string& name) {
      return static_cast<std::size_t>(
          std::find_if(boxes.begin(), boxes.end(), [&](const WorkerBox& b) { return b.name == name; }) - boxes.begin());
    };
    const std::size_t from = index(link.producer);
    const std::size_t to = index(link.consumer);
    if (from >= boxes.size() || to >= boxes.size()) {
      continue;
    }
    const auto [x1, y1] = place(from);
    const auto [x2, y2] = place(to);
    const double middle = box_height / 2;
    const std::string label =
        base::percent_text(link.fill) + (link.dropped > 0 ? ", " + std::to_string(link.dropped) + " dropped" : "");
    if (y1 == y2 && x2 > x1 && x2 - x1 < kBoxWidth + kGap + 1) {
      content +=
          line(x1 + kBoxWidth + 2, y1 + middle, x2 - 2, y2 + middle, "class=\"link\" marker-end=\"url(#arrow)\"");
      content += text_at(x1 + kBoxWidth + kGap / 2, y1 + middle - 8, label, "class=\"small\" text-anchor=\"middle\"");
      content +=
          text_at(x1 + kBoxWidth + kGap / 2, y1 + middle + 16, "full", "class=\"faint small\" text-anchor=\"middle\"");
    } else {  // to another row, or back to a row of stages that waits for a child
      const bool above = to < from;
      const double edge1 = above ? y1 : y1 + box_height;
      const double edge2 = above ? y2 + box_height : y2;
      const bool same_row = y1 == y2;
      const double lane = same_row ? y1 + box_height + 18 : (edge1 + edge2) / 2;
      content += "<path class=\"link\" fill=\"none\" marker-end=\"url(#arrow)\" d=\"M" +
                 number(x1 + kBoxWidth / 2 + 10) + " " + number(same_row ? y1 + box_height : edge1) + "V" +
                 number(lane) + "H" + number(x2 + kBoxWidth / 2 - 10) + "V" +
                 number(same_row ? y2 + box_height : edge2) + "\"/>";
      content +=
          text_at((x1 + x2 + kBoxWidth) / 2, lane - 4, label + " full", "class=\"small\" text-anchor=\"middle\"");
    }
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const WorkerBox& box = boxes[i];
    const auto [x, y] = place(i);
    const std::string title = plan::short_key(box.name) + ": waits " + base::percent_text(box.waiting) + ", works " +
                              base::percent_text(box.working) + ", is blocked " + base::percent_text(box.blocked);
    content += rectangle(x, y, kBoxWidth, box_height,
                         "rx=\"8\" class=\"box" + std::string(box.bottleneck ? " hot" : "") +
                             "\" style=\"fill:" + heat(box.working) + "\"",
                         title);
    content += text_at(x + 10, y + 20, shortened(plan::short_key(box.name), 22), "class=\"name\"");
    content += text_at(x + 10, y + 36,
                       "works " + base::percent_text(box.working) +
                           (box.restarts > 0 ? ", " + base::count_text(box.restarts, "restart") : ""),
                       "class=\"small onheat\"");
    for (std::size_t s = 0; s < std::min<std::size_t>(box.stages.size(), 8); ++s) {
      const profile::KeySummary& stage = *box.stages[s];
      const std::string name =
          stage.key.substr(stage.key.rfind("__") == std::string::npos ? 0 : stage.key.rfind("__") + 2);
      content += text_at(x + 10, y + 54 + 16 * static_cast<double>(s),
                         shortened(name, 13) + " " + base::time_text(stage.mean_s), "class=\"small onheat\"");
    }
    if (box.bottleneck) {
      content += text_at(x + kBoxWidth / 2, y - 5, "bottleneck", "class=\"small warn\" text-anchor=\"middle\"");
    }
  }
  const std::size_t rows = (boxes.size() + kPerRow - 1) / kPerRow;
  const double columns = static_cast<double>(std::min(boxes.size(), kPerRow));
  return svg(2 * kMargin + columns * (kBoxWidth + kGap) - kGap,
             2 * kMargin + 14 + static_cast<double>(std::max<std::size_t>(rows, 1) - 1) * row_height + box_height + 30,
             content, "workers and links");
}

std::string throughput_chart(const ReportData& data) {
  constexpr double kWidth = 1160, kHeight = 320, kLeft = 64, kRight = 190, kTop = 16, kBottom = 34;
  double end = 1;
  double most = 0;
  std::vector<const store::KeyWindows*> shown;
  for (const store::KeyWindows& key : data.keys) {
    if (key.role == "pipeline" && key.key != "MainPipeline") {
      continue;
    }
    shown.push_back(&key);
    for (const store::WindowFigures& window : key.windows) {
      end = std::max(end, window.begin_s + window.span_s);
      most = std::max(most, static_cast<double>(window.items) / std::max(window.span_s, 1e-3));
    }
  }
  const double top = round_number(most);
  const double width = kWidth - kLeft - kRight;
  const double height = kHeight - kTop - kBottom;
  const auto x = [&](double s) { return kLeft + width * std::clamp(s / end, 0.0, 1.0); };
  const auto y = [&](double rate) { return kTop + height * (1 - rate / top); };
  std::string content;
  for (int i = 0; i <= 4; ++i) {
    content += line(kLeft, y(top * i / 4), kLeft + width, y(top * i / 4), "class=\"grid\"");
    content += text_at(kLeft - 8, y(top * i / 4) + 4, i == 0 ? "0" : base::number_text(top * i / 4),
                       "class=\"small\" text-anchor=\"end\"");
  }
  const double step = round_number(end / 8);
  for (double s = 0; s <= end; s += step) {
    content += text_at(x(s), kHeight - 12, seconds(s, step), "class=\"small\" text-anchor=\"middle\"");
  }
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    std::string points;
    for (const store::WindowFigures& window : shown[i]->windows) {
      const double rate = static_cast<double>(window.items) / std::max(window.span_s, 1e-3);
      points +=
          number(x(window.begin_s + std::max(0.0, std::min(window.span_s, 1.0)) / 2)) + "," + number(y(rate)) + " ";
    }
    const bool main = shown[i]->key == "MainPipeline";
    content += "<polyline fill=\"none\" stroke=\"" + std::string(colour) + "\" stroke-width=\"" + (main ? "3" : "1.5") +
               "\" points=\"" + points + "\"><title>" + base::html_text(plan::short_key(shown[i]->key)) +
               "</title></polyline>";
    if (shown[i]->windows.size() == 1) {
      content += "<circle r=\"3\" fill=\"" + std::string(colour) + "\" cx=\"" + points.substr(0, points.find(',')) +
                 "\" cy=\"" + points.substr(points.find(',') + 1, points.find(' ') - points.find(',') - 1) + "\"/>";
    }
    if (i < 16) {
      const double at = kTop + 10 + 17 * static_cast<double>(i);
      content += line(kLeft + width + 14, at - 4, kLeft + width + 32, at - 4,
                      "stroke=\"" + std::string(colour) + "\" stroke-width=\"3\"");
      content += text_at(kLeft + width + 38, at, shortened(plan::short_key(shown[i]->key), 22), "class=\"small\"");
    }
  }
  for (const ReportEvent& event : data.events) {
    if (event.kind == "crash" || event.kind == "restart") {
      content += "<g>" +
                 line(x(event.time_s), kTop, x(event.time_s), kTop + height,
                      event.kind == "crash" ? "class=\"crash\"" : "class=\"restart\"") +
                 "<title>" +
                 base::html_text(number(event.time_s) + " s: " + event.kind + " of " + plan::short_key(event.worker) +
                                 " " + plan::short_key(event.text)) +
                 "</title></g>";
    }
  }
  return svg(kWidth, kHeight, content, "throughput over time");
}

std::string state_bars(const ReportData& data) {
  constexpr double kWidth = 1160, kLeft = 230, kBar = 16, kRow = 24, kRight = 190;
  double y = 6;
  std::string content;
  for (const profile::KeySummary& key : data.summary.keys) {
    if (key.role == "pipeline") {
      continue;
    }
    const double width = kWidth - kLeft - kRight;
    content += text_at(kLeft - 10, y + kBar - 3, shortened(plan::short_key(key.key), 32),
                       "class=\"small\" text-anchor=\"end\"");
    double x = kLeft;
    const std::array<std::pair<double, const char*>, 3> parts{
        {{key.working, "working"}, {key.waiting, "waiting"}, {key.blocked, "blocked"}}};
    for (const auto& [share, name] : parts) {
      content += rectangle(x, y, width * share, kBar, "class=\"" + std::string(name) + "\"",
                           std::string(name) + " " + base::percent_text(share));
      x += width * share;
    }
    content += text_at(kLeft + width + 10, y + kBar - 3,
                       base::percent_text(key.working) + " / " + base::percent_text(key.waiting) + " / " +
                           base::percent_text(key.blocked),
                       "class=\"small\"");
    y += kRow;
  }
  return svg(kWidth, y + 4, content, "working, waiting and blocked time");
}

std::string latency_chart(const store::KeyWindows& key, const profile::KeySummary& summary) {
  constexpr double kWidth = 560, kHeight = 200, kLeft = 12, kTop = 38, kBottom = 34;
  constexpr std::size_t kPerBar = 4;  // buckets
  std::vector<double> bars(shm::kBuckets / kPerBar + 1);
  for (const store::WindowFigures& window : key.windows) {
    for (const auto& [bucket, items] : window.histogram) {
      if (bucket < shm::kBuckets) {
        bars[bucket / kPerBar] += items;
      }
    }
  }
  std::size_t first = 0;
  std::size_t last = bars.size();
  while (first < last && bars[first] == 0) {
    ++first;
  }
  while (last > first && bars[last - 1] == 0) {
    --last;
  }
  if (first == last) {
    return {};
  }
  first = first > 2 ? first - 2 : 0;
  last = std::min(last + 2, bars.size());
  const double most = *std::max_element(bars.begin(), bars.end());
  const double width = (kWidth - 2 * kLeft) / static_cast<double>(last - first);
  const double height = kHeight - kTop - kBottom;
  std::string content = text_at(kLeft, 15, shortened(plan::short_key(key.key), 40), "class=\"name plain\"");
  for (std::size_t i = first; i < last; ++i) {
    const double x = kLeft + width * static_cast<double>(i - first);
    const auto low = static_cast<double>(shm::bucket_low(i * kPerBar)) * 1e-9;
    const auto high = static_cast<double>(shm::bucket_low((i + 1) * kPerBar)) * 1e-9;
    const double tall = height * std::sqrt(bars[i] / most);
    content +=
        rectangle(x, kTop + height - tall, width - 1, tall, "class=\"bar\"",
                  base::time_text(low) + " to " + base::time_text(high) + ": " + base::number_text(bars[i]) + " items");
    if ((i - first) % std::max<std::size_t>((last - first) / 6, 1) == 0) {
      content += text_at(x, kHeight - 16, base::time_text(low), "class=\"small\"");
    }
  }
  const auto mark = [&](double seconds, const char* name, double row) {
    const std::size_t bucket = shm::bucket_of(static_cast<std::uint64_t>(seconds * 1e9));
    const double x = kLeft + width * (static_cast<double>(bucket) / kPerBar - static_cast<double>(first) + 0.125);
    if (x >= kLeft && x <= kWidth - kLeft) {
      content += line(x, kTop + row, x, kTop + height, "class=\"mark\"");
      content += text_at(std::min(x + 3, kWidth - 90), kTop + row + 8,
                         std::string(name) + " " + base::time_text(seconds), "class=\"small\"");
    }
  };
  mark(summary.p50_s, "p50", -12);
  mark(summary.p99_s, "p99", 2);
  content += text_at(kWidth - kLeft, kHeight - 3, "bars as the root of their items",
                     "class=\"faint small\" text-anchor=\"end\"");
  return svg(kWidth, kHeight, content, "distribution of " + plan::short_key(key.key));
}

}  // namespace pystream::report
