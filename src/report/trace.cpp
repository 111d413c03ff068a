#include "report/trace.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "base/escaped_text.hpp"
#include "base/number_text.hpp"
#include "base/text_table.hpp"
#include "plan/stage_names.hpp"

namespace pystream::report {
namespace {

std::string microseconds(std::int64_t ns) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%lld.%03lld", static_cast<long long>(ns / 1000),
                static_cast<long long>(ns % 1000 < 0 ? -(ns % 1000) : ns % 1000));
  return text.data();
}

struct TraceStage {
  std::string name;
  std::int64_t worker = 0;
};

std::map<std::int64_t, TraceStage> stages_of(store::Database& database, std::int64_t run) {
  store::Statement statement(
      database, "SELECT id, key, worker FROM stages WHERE run = ? AND role <> 'pipeline' ORDER BY position");
  statement.bind(1, run);
  std::map<std::int64_t, TraceStage> stages;
  while (statement.step()) {
    stages[statement.integer(0)] = {plan::short_key(statement.text(1)), statement.integer(2)};
  }
  return stages;
}

class TraceWriter {
 public:
  TraceWriter(store::Database& database, std::int64_t run, std::uint64_t items, const TextSink& out)
      : database_(database), run_(run), items_(items), out_(out), stages_(stages_of(database, run)) {}

  void write() {
    out_("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    name_tracks();
    slices();
    marks();
    counters();
    out_("\n]}\n");
  }

 private:
  /// More than there are workers, and lanes of one.
  static constexpr std::int64_t kManyTracks = 100'000;
  static constexpr std::int64_t kManyLanes = 1'000;

  static std::int64_t track_of(std::int64_t worker, std::size_t lane = 0) {
    return static_cast<std::int64_t>(lane) * kManyTracks + worker + 1;
  }

  /// `fields`: what follows "ph", with a comma in front.
  void event(char phase, std::int64_t track, const std::string& fields) {
    std::string text = first_ ? "" : ",\n";
    first_ = false;
    text += "{\"ph\":\"";
    text += phase;
    text += "\",\"pid\":1,\"tid\":" + std::to_string(track) + fields + "}";
    out_(text);
  }

  void name_tracks() {
    store::Statement run(database_, "SELECT name FROM runs WHERE id = ?");
    run.bind(1, run_);
    if (!run.step()) {
      throw ProfilingError("there is no run " + std::to_string(run_) + " in " + database_.path().string());
    }
    event('M', 0, ",\"name\":\"process_name\",\"args\":{\"name\":" + base::json_string(run.text(0)) + "}");
    run.reset();
    store::Statement workers(
        database_,
        "SELECT DISTINCT worker, worker_name FROM stages WHERE run = ? AND worker IS NOT NULL ORDER BY worker");
    workers.bind(1, run_);
    while (workers.step()) {
      worker_names_[workers.integer(0)] = plan::short_key(workers.text(1));
      name_lane(workers.integer(0), 0);
    }
  }

  void name_lane(std::int64_t worker, std::size_t lane) {
    const std::string name = worker_names_[worker] + (lane > 0 ? " (" + std::to_string(lane + 1) + ")" : "");
    const std::int64_t order = worker * kManyLanes + static_cast<std::int64_t>(lane);
    event('M', track_of(worker, lane), ",\"name\":\"thread_name\",\"args\":{\"name\":" + base::json_string(name) + "}");
    event('M', track_of(worker, lane),
          ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":" + std::to_string(order) + "}");
  }

  /// One item in one stage. A stage that still worked after it had called the one behind it encloses that one's slice.
  struct Slice {
    const TraceStage* stage;
    std::int64_t start_ns, end_ns;
    std::uint64_t input;
    std::size_t lane = 0;

    bool same_call(const Slice& other) const { return stage->worker == other.stage->worker && input == other.input; }
  };

  /// Rows have a stage's own time, without that of the stages which it calls. From the last to the first of those that
  /// one call went through, a stage lasts longer by each one that begins before it ends, those inside that one not
  /// counted.
  static void nest(std::span<Slice> call) {
    for (std::size_t i = call.size(); i-- > 0;) {
      std::int64_t& end = call[i].end_ns;
      std::int64_t inner_end = 0;
      for (const Slice& inner : call.subspan(i + 1)) {
        if (inner.start_ns >= end) {
          break;
        }
        if (inner.start_ns >= inner_end) {
          inner_end = inner.end_ns;
          end = std::max(inner_end, end + inner_end - inner.start_ns);
        }
      }
    }
  }

  /// The first lane of a worker's track that is free for this call. Stages that have several items in work at once need
  /// more than one.
  std::size_t lane_for(std::span<const Slice> call) {
    std::vector<std::int64_t>& ends = lane_ends_[call.front().stage->worker];
    const auto free = std::ranges::find_if(ends, [&](std::int64_t end) { return end <= call.front().start_ns; });
    const auto lane = static_cast<std::size_t>(free - ends.begin());
    if (lane == ends.size()) {
      ends.push_back(0);
      if (lane > 0) {
        name_lane(call.front().stage->worker, lane);
      }
    }
    for (const Slice& slice : call) {
      ends[lane] = std::max(ends[lane], slice.end_ns);
    }
    return lane;
  }

  void arrange(std::vector<Slice>& path) {
    for (std::size_t first = 0; first < path.size();) {
      std::size_t end = first + 1;
      while (end < path.size() && path[end].same_call(path[first])) {
        ++end;
      }
      const std::span call = std::span(path).subspan(first, end - first);
      nest(call);
      const std::size_t lane = lane_for(call);
      for (Slice& slice : call) {
        slice.lane = lane;
      }
      first = end;
    }
  }

  /// All that one item did.
  void item(std::uint64_t sequence, std::vector<Slice>& path) {
    arrange(path);
    const std::string number = std::to_string(sequence);
    for (std::size_t i = 0; i < path.size(); ++i) {
      const Slice& slice = path[i];
      const std::int64_t track = track_of(slice.stage->worker, slice.lane);
      const std::string at = ",\"ts\":" + microseconds(slice.start_ns);
      event('X', track,
            ",\"cat\":\"stage\",\"name\":" + base::json_string(slice.stage->name) + at +
                ",\"dur\":" + microseconds(slice.end_ns - slice.start_ns) + ",\"args\":{\"sequence\":" + number + "}");
      if (path.size() > 1) {
        const bool last = i + 1 == path.size();
        event(i == 0 ? 's'
              : last ? 'f'
                     : 't',
              track, ",\"cat\":\"item\",\"name\":\"item\",\"id\":" + number + at + (last ? ",\"bp\":\"e\"" : ""));
      }
    }
  }

  void slices() {
    store::Statement rows(database_,
                          "SELECT items.stage, items.sequence, items.start_ns, items.end_ns, items.input FROM items "
                          "JOIN stages ON stages.id = items.stage WHERE stages.run = ? AND stages.role <> 'pipeline' "
                          "ORDER BY items.sequence, items.start_ns, stages.position");
    rows.bind(1, run_);
    std::vector<Slice> path;
    std::uint64_t sequence = 0;
    std::uint64_t items = 0;
    while (rows.step()) {
      if (!path.empty() && rows.number(1) != sequence) {
        item(sequence, path);
        path.clear();
        if (++items == items_) {
          break;
        }
      }
      sequence = rows.number(1);
      path.push_back({&stages_.at(rows.integer(0)), rows.integer(2), rows.integer(3), rows.number(4)});
    }
    rows.reset();
    if (!path.empty()) {
      item(sequence, path);
    }
  }

  void marks() {
    store::Statement rows(
        database_,
        "SELECT time_ns, kind, text, (SELECT worker FROM stages WHERE stages.run = events.run AND "
        "stages.worker_name = events.worker LIMIT 1) FROM events WHERE run = ? AND time_ns >= 0 ORDER BY id");
    rows.bind(1, run_);
    while (rows.step()) {
      event('i', rows.is_null(3) ? 0 : track_of(rows.integer(3)),
            ",\"cat\":\"event\",\"name\":" + base::json_string(rows.text(1)) +
                ",\"ts\":" + microseconds(rows.integer(0)) +
                ",\"s\":\"t\",\"args\":{\"text\":" + base::json_string(rows.text(2)) + "}");
    }
  }

  void counters() {
    store::Statement rows(
        database_,
        "SELECT links.name, window * runs.window_ns, fill_items, fill_bytes FROM link_windows "
        "JOIN links ON links.id = link_windows.link JOIN runs ON runs.id = links.run WHERE runs.id = ?");
    rows.bind(1, run_);
    while (rows.step()) {
      event('C', 0,
            ",\"name\":" + base::json_string("fill " + plan::short_key(rows.text(0))) + ",\"ts\":" +
                microseconds(rows.integer(1)) + ",\"args\":{\"items\":" + base::json_number(rows.real(2)) + "}");
    }
  }

  store::Database& database_;
  std::int64_t run_;
  std::uint64_t items_;
  const TextSink& out_;
  std::map<std::int64_t, TraceStage> stages_;
  std::map<std::int64_t, std::string> worker_names_;
  std::map<std::int64_t, std::vector<std::int64_t>> lane_ends_;  ///< by worker: when each lane is free again
  bool first_ = true;
};

}  // namespace

void write_trace(store::Database& database, std::int64_t run, std::uint64_t items, const TextSink& out) {
  TraceWriter(database, run, items, out).write();
}

std::string item_path(store::Database& database, std::int64_t run, std::uint64_t sequence) {
  store::Statement rows(
      database,
      "SELECT stages.key, items.start_ns, items.end_ns FROM items JOIN stages ON stages.id = items.stage "
      "WHERE stages.run = ? AND stages.role <> 'pipeline' AND items.sequence = ? "
      "ORDER BY items.start_ns, stages.position");
  rows.bind(1, run).bind(2, sequence);
  struct Step {
    std::string key;
    std::int64_t start_ns, end_ns;
  };
  std::vector<Step> steps;
  while (rows.step()) {
    steps.push_back({plan::short_key(rows.text(0)), rows.integer(1), rows.integer(2)});
  }
  if (steps.empty()) {
    store::Statement next(
        database,
        "SELECT min(sequence) FROM items JOIN stages ON stages.id = items.stage WHERE stages.run = ? AND "
        "sequence > ?");
    next.bind(1, run).bind(2, sequence);
    const bool more = next.step() && !next.is_null(0);
    throw ProfilingError("item " + std::to_string(sequence) + " was not recorded singly in run " + std::to_string(run) +
                         (more ? "; the next one that was is " + next.text(0) : std::string()));
  }
  base::TextTable table({{.title = "stage"},
                         {.title = "begins", .right = true, .least = 10},
                         {.title = "waited", .right = true, .least = 10},
                         {.title = "works", .right = true, .least = 10}});
  std::int64_t before = steps.front().start_ns;
  for (const Step& step : steps) {
    const auto time = [](std::int64_t ns) { return base::time_text(static_cast<double>(ns < 0 ? 0 : ns) * 1e-9); };
    table.add({step.key, time(step.start_ns - steps.front().start_ns), time(step.start_ns - before),
               time(step.end_ns - step.start_ns)});
    before = step.end_ns;
  }
  return "item " + std::to_string(sequence) + " of run " + std::to_string(run) + "\n" + table.text({}) + "in all " +
         base::time_text(static_cast<double>(before - steps.front().start_ns) * 1e-9) + "\n";
}

}  // namespace pystream::report
