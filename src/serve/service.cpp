#include "serve/service.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <pystream/error.hpp>
#include <sstream>
#include <utility>

#include "base/escaped_text.hpp"
#include "coord/control_socket.hpp"
#include "plan/stage_names.hpp"
#include "report/diff.hpp"
#include "report/report.hpp"
#include "report/summary_text.hpp"
#include "serve/metrics_text.hpp"
#include "store/events.hpp"
#include "store/letters.hpp"
#include "store/past_runs.hpp"
#include "store/series.hpp"
#include "store/stored_summary.hpp"

namespace pystream::serve {
namespace {

constexpr int kQueryMs = 10'000;               ///< a request to the database takes no longer
constexpr std::uint64_t kMostLetters = 1'000;  ///< in one list
constexpr std::size_t kMostReplayed = 1'000;
constexpr std::uint64_t kShownBytes = 16 << 10;       ///< of a letter, in the page
constexpr std::uint64_t kMostDownloaded = 256 << 20;  ///< bytes, which are in memory at once
constexpr std::size_t kMostEvents = 500;
constexpr std::size_t kMostCompared = 50'000;  ///< windows: more take too long to draw from

/// What the page may do: nothing but show itself and ask this server.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

std::string boolean(bool value) {
  return value ? "true" : "false";
}

/// "12,13,14"
std::vector<std::int64_t> numbers_in(const std::string& text) {
  std::vector<std::int64_t> numbers;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) {
      return {};
    }
    numbers.push_back(number);
  }
  return numbers;
}

std::string hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4U];
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15U];
  }
  return text;
}

/// A list of numbers, one of each point.
template <class Point, class Value>
std::string column(const char* name, const std::vector<Point>& points, const Value& value) {
  std::string out = ", \"" + std::string(name) + "\": [";
  for (const Point& point : points) {
    out += (&point == points.data() ? "" : ",") + base::json_number(static_cast<double>(value(point)));
  }
  return out + "]";
}

std::string key_series_json(const store::KeySeries& series) {
  using Point = store::SeriesPoint;
  const auto& points = series.points;
  return "{\"key\": " + base::json_string(series.key) + ", \"role\": " + base::json_string(series.role) +
         column("begin_s", points, [](const Point& p) { return p.begin_s; }) +
         column("span_s", points, [](const Point& p) { return p.span_s; }) +
         column("items", points, [](const Point& p) { return p.items; }) +
         column("errors", points, [](const Point& p) { return p.errors; }) +
         column("busy_s", points, [](const Point& p) { return p.busy_s; }) +
         column("max_s", points, [](const Point& p) { return p.max_s; }) +
         column("waiting_s", points, [](const Point& p) { return p.waiting_s; }) +
         column("working_s", points, [](const Point& p) { return p.working_s; }) +
         column("blocked_s", points, [](const Point& p) { return p.blocked_s; }) + "}";
}

std::string link_series_json(const store::LinkSeries& series) {
  using Point = store::LinkPoint;
  const auto& points = series.points;
  return "{\"name\": " + base::json_string(series.name) +
         column("begin_s", points, [](const Point& p) { return p.begin_s; }) +
         column("items", points, [](const Point& p) { return p.items; }) +
         column("dropped", points, [](const Point& p) { return p.dropped; }) +
         column("inside", points, [](const Point& p) { return p.inside; }) +
         column("fill", points, [](const Point& p) { return p.fill; }) +
         column("oldest_s", points, [](const Point& p) { return p.oldest_s; }) + "}";
}

template <class T, class ToJson>
std::string list_json(const std::vector<T>& values, const ToJson& to_json) {
  std::string out = "[";
  for (const T& value : values) {
    out += (&value == values.data() ? "" : ",\n ") + to_json(value);
  }
  return out + "]";
}

std::string event_json(const store::StoredEvent& event) {
  return "{\"seconds\": " + base::json_number(event.seconds) + ", \"kind\": " + base::json_string(event.kind) +
         ", \"worker\": " + base::json_string(event.worker) + ", \"text\": " + base::json_string(event.text) + "}";
}

/// A running pipeline: its figures as `top --json` has them, and what its processes use.
std::string pipeline_json(const LiveRuns::Pipeline& pipeline) {
  const coord::LiveStatus& now = pipeline.now.status;
  const coord::LiveStatus& before = pipeline.before.status;
  const double seconds = static_cast<double>(now.time_ns - before.time_ns) * 1e-9;
  std::string usage;
  for (std::size_t i = 0; i < pipeline.now.usage.size(); ++i) {
    const bool same = i < before.workers.size() && i < pipeline.before.usage.size() &&
                      before.workers[i].pid == now.workers.at(i).pid && before.time_ns > 0 && seconds > 0;
    const double cpu = same ? (pipeline.now.usage[i].cpu_s - pipeline.before.usage[i].cpu_s) / seconds : 0;
    usage += (usage.empty() ? "" : ", ") + std::string("{\"cpu\": ") + base::json_number(std::max(cpu, 0.0)) +
             ", \"memory_bytes\": " + base::json_number(pipeline.now.usage[i].memory_bytes) + "}";
  }
  return "{\"status\": " + coord::to_json(before, now) + ", \"usage\": [" + usage + "]}";
}

const Answer kNoSuchPath = failure(404, "there is nothing under this path");

}  // namespace

Service::Service(ServiceSetup setup) : setup_(std::move(setup)), replays_(setup_.program, setup_.folder) {}

store::Database Service::open() const {
  store::Database database = store::open_for_reading(setup_.folder);
  database.limit_time(kQueryMs);
  return database;
}

Answer Service::answer(const Request& request) {
  const Answer* const file = setup_.page.find(request.path);
  const bool has_data = file == nullptr && request.path != "/healthz";
  Answer answer;
  if (auto refused = refusal(setup_.access, request, has_data)) {
    answer = *std::move(refused);
  } else if (file != nullptr && request.method != "POST") {
    answer = *file;
  } else {
    try {
      answer = routed(request);
    } catch (const ProfilingError& error) {  // no database, no such run
      answer = failure(404, error.what());
    } catch (const std::exception& error) {
      answer = failure(500, error.what());
    }
  }
  answer.headers.emplace_back("Content-Security-Policy", kPolicy);
  answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  answer.headers.emplace_back("Referrer-Policy", "no-referrer");
  answer.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  if (has_data) {
    answer.headers.emplace_back("Cache-Control", "no-store");
  }
  return answer;
}

Answer Service::routed(const Request& request) {
  using Path = std::function<Answer()>;
  const std::map<std::string, Path> reading{
      {"/healthz", [] { return Answer{.type = "text/plain", .body = "ok\n"}; }},
      {"/metrics", [&] { return metrics(); }},
      {"/api/server", [&] { return server(); }},
      {"/api/overview", [&] { return overview(); }},
      {"/api/pipeline", [&] { return pipeline(request); }},
      {"/api/runs", [&] { return runs(); }},
      {"/api/run", [&] { return run(request); }},
      {"/api/history", [&] { return history(request); }},
      {"/api/compare", [&] { return compare(request); }},
      {"/api/letters", [&] { return letters(request); }},
      {"/api/letter", [&] { return letter(request, false); }},
      {"/api/letter/bytes", [&] { return letter(request, true); }},
      {"/api/replays", [&] { return Answer{.body = to_json(replays_.list())}; }},
  };
  const std::map<std::string, Path> controlling{
      {"/api/stop", [&] { return stop(request); }},
      {"/api/replay", [&] { return replay(request); }},
  };
  const auto& paths = request.method == "POST" ? controlling : reading;
  const auto& others = request.method == "POST" ? reading : controlling;
  if (const auto found = paths.find(request.path); found != paths.end()) {
    return found->second();
  }
  return others.contains(request.path) ? failure(405, request.method + " cannot be used with this path") : kNoSuchPath;
}

Answer Service::metrics() {
  const auto look = live_.look();
  std::vector<Observed> pipelines;
  for (const LiveRuns::Pipeline& pipeline : look->pipelines) {
    pipelines.push_back(pipeline.now);
  }
  LettersKept letters;
  try {
    store::Database database = open();
    letters = store::count_letters(database);
  } catch (const ProfilingError&) {  // no database yet: there are none
  }
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_text(pipelines, letters)};
}

Answer Service::server() const {
  return {.body =
              "{\"version\": \"" PYSTREAM_VERSION "\", \"control\": " + boolean(setup_.access.allow_control) + "}\n"};
}

Answer Service::overview() {
  const auto look = live_.look();
  std::string silent;
  for (const pid_t pid : look->silent) {
    silent += (silent.empty() ? "" : ", ") + std::to_string(pid);
  }
  std::string letters;
  try {
    store::Database database = open();
    for (const auto& [name, count] : store::count_letters(database)) {
      letters += (letters.empty() ? "" : ", ") + std::string("{\"name\": ") + base::json_string(name) +
                 ", \"letters\": " + std::to_string(count) + "}";
    }
  } catch (const ProfilingError&) {
  }
  return {.body = "{\"silent\": [" + silent + "], \"letters\": [" + letters +
                  "], \"pipelines\": " + list_json(look->pipelines, pipeline_json) + "}\n"};
}

Answer Service::pipeline(const Request& request) {
  const auto pid = request.number("pid");
  const auto look = live_.look();
  const auto found = std::ranges::find_if(
      look->pipelines, [&](const LiveRuns::Pipeline& pipeline) { return pid && pipeline.now.status.pid == *pid; });
  return found != look->pipelines.end() ? Answer{.body = pipeline_json(*found) + "\n"}
                                        : failure(404, "no running pipeline has this process id");
}

Answer Service::runs() {
  store::Database database = open();
  return {.body = store::to_json(store::list_runs(database))};
}

Answer Service::run(const Request& request) {
  store::Database database = open();
  const std::int64_t run = request.number("run").value_or(0);
  const std::string summary = report::to_json(store::read_summary(database, run));
  std::vector<store::StoredEvent> events;
  for (const char* kind : {"crash", "restart", "dead_letter", "end"}) {
    std::ranges::move(store::list_events(database, run, kind), std::back_inserter(events));
  }
  std::ranges::stable_sort(events, {}, &store::StoredEvent::seconds);
  const std::size_t left_out = events.size() - std::min(events.size(), kMostEvents);
  events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(left_out));
  return {.body = "{\"summary\": " + summary + ", \"events_left_out\": " + std::to_string(left_out) +
                  ", \"events\": " + list_json(events, event_json) + "}\n"};
}

Answer Service::history(const Request& request) {
  store::Database database = open();
  const std::int64_t run = request.number("run").value_or(0);
  const store::Series series = store::read_series(
      database, run, static_cast<double>(std::max<std::int64_t>(request.number("from").value_or(0), 0)),
      static_cast<double>(std::max<std::int64_t>(request.number("to").value_or(0), 0)),
      static_cast<std::size_t>(std::clamp<std::int64_t>(request.number("points").value_or(600), 1, 2'000)));
  return {.body = "{\"run\": " + std::to_string(run) + ", \"from_s\": " + base::json_number(series.from_s) +
                  ", \"to_s\": " + base::json_number(series.to_s) + ", \"step_s\": " +
                  base::json_number(series.step_s) + ", \"keys\": " + list_json(series.keys, key_series_json) +
                  ", \"links\": " + list_json(series.links, link_series_json) + "}\n"};
}

Answer Service::compare(const Request& request) {
  store::Database database = open();
  const std::int64_t before = request.number("before").value_or(0);
  const std::int64_t after = request.number("after").value_or(0);
  for (const std::int64_t run : {before, after}) {
    const std::string of = "FROM windows JOIN stages ON stages.id = stage WHERE run = " + std::to_string(run);
    if (database.query_integer("SELECT count(*) " + of).value_or(0) > static_cast<std::int64_t>(kMostCompared)) {
      return {.body = "{\"too_long\": true, \"changes\": []}\n"};
    }
  }
  using report::Metric;
  const report::Comparison comparison =
      report::compare(store::read_windows(database, before), store::read_windows(database, after),
                      {Metric::mean, Metric::p50, Metric::p99, Metric::throughput});
  const auto change_json = [](const report::Change& change) {
    return "{\"key\": " + base::json_string(change.key) +
           ", \"metric\": " + base::json_string(report::to_string(change.metric)) +
           ", \"before\": " + base::json_number(change.before) + ", \"after\": " + base::json_number(change.after) +
           ", \"change\": " + base::json_number(change.change) + ", \"low\": " + base::json_number(change.low) +
           ", \"high\": " + base::json_number(change.high) + ", \"real\": " + boolean(change.real()) + "}";
  };
  return {.body = "{\"too_long\": false, \"changes\": " + list_json(comparison.changes, change_json) + "}\n"};
}

Answer Service::letters(const Request& request) {
  store::Database database = open();
  return {.body = store::to_json(store::list_letters(database, request.number("run"), kMostLetters))};
}

Answer Service::letter(const Request& request, bool whole) {
  store::Database database = open();
  const std::int64_t id = request.number("id").value_or(0);
  if (whole && store::read_letter(database, id).size > kMostDownloaded) {
    return failure(413, "the letter is too large for the page; use pystream-coord dead-letters show " +
                            std::to_string(id) + " --bytes -o FILE");
  }
  if (whole) {
    return {.type = "application/octet-stream",
            .body = store::read_letter_bytes(database, id),
            .headers = {{"Content-Disposition", "attachment; filename=\"letter-" + std::to_string(id) + ".bin\""}}};
  }
  const store::DeadLetter letter = store::read_letter(database, id);
  return {.body = "{\"letter\": " + store::to_json(std::vector{letter}) +
                  ", \"stack\": " + base::json_string(letter.stack) +
                  ", \"hex\": " + base::json_string(hex(store::read_letter_bytes(database, id, kShownBytes))) + "}\n"};
}

Answer Service::stop(const Request& request) {
  const auto pid = request.number("pid");
  const std::vector<pid_t> running = coord::running_coordinators();
  if (!pid || std::ranges::find(running, static_cast<pid_t>(*pid)) == running.end()) {
    return failure(404, "no running pipeline has this process id");
  }
  const bool now = request.number("now").value_or(0) != 0;
  return coord::ask_coordinator(static_cast<pid_t>(*pid), now ? "stop" : "drain")
             ? Answer{.body = "{\"told\": true}\n"}
             : failure(504, "the pipeline does not answer");
}

Answer Service::replay(const Request& request) {
  const auto given = request.query.find("letters");
  const std::vector<std::int64_t> ids =
      given != request.query.end() ? numbers_in(given->second) : std::vector<std::int64_t>();
  if (ids.empty() || ids.size() > kMostReplayed) {
    return failure(400, "found no list of letters such as letters=3,4, or too long a list");
  }
  store::Database database = open();
  std::optional<std::int64_t> run;
  for (const std::int64_t id : ids) {
    const store::DeadLetter letter = store::read_letter(database, id);
    if (run && *run != letter.run) {
      return failure(400, "found letters of several runs, expected those of one");
    }
    run = letter.run;
  }
  try {
    const std::uint64_t id = replays_.start(*run, ids, request.number("remove").value_or(0) != 0);
    return {.status = 202, .body = "{\"replay\": " + std::to_string(id) + "}\n"};
  } catch (const Error& error) {
    return failure(409, error.what());
  }
}

}  // namespace pystream::serve
