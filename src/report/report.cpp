#include "report/report.hpp"

#include <algorithm>

#include "base/escaped_text.hpp"
#include "base/number_text.hpp"
#include "plan/stage_names.hpp"
#include "profile/replica_advice.hpp"
#include "report/report_charts.hpp"
#include "store/schema.hpp"

namespace pystream::report {
namespace {

constexpr const char* kStyle = R"css(
:root{--ink:#1f2937;--faint:#6b7280;--line:#d1d5db;--page:#fff;--soft:#f8fafc}
@media(prefers-color-scheme:dark){:root{--ink:#e5e7eb;--faint:#9ca3af;--line:#374151;--page:#111827;--soft:#1f2937}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:0 auto;max-width:1240px;padding:24px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:34px 0 8px}p{margin:4px 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{font-weight:600;color:var(--faint)}tr.hot td{font-weight:600}
.scroll{overflow-x:auto}.cards{display:flex;gap:12px;flex-wrap:wrap;margin:16px 0}
.card{background:var(--soft);border:1px solid var(--line);border-radius:8px;padding:10px 16px;min-width:120px}
.card b{display:block;font-size:20px}.card span{color:var(--faint);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(420px,1fr));gap:14px}
.bad{color:#dc2626}svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font:13px system-ui,sans-serif}
svg .small{font-size:12px}svg .faint{fill:var(--faint)}svg .name{font-weight:600;fill:#111827}svg .plain{fill:var(--ink)}
svg .onheat{fill:#1f2937}svg .warn{fill:#dc2626;font-weight:600}svg .ink{fill:var(--ink)}
svg .link{stroke:var(--ink);stroke-width:1.5}svg .box{stroke:#9ca3af}svg .hot{stroke:#dc2626;stroke-width:2.5}
svg .grid{stroke:var(--line)}svg .crash{stroke:#dc2626;stroke-width:2}svg .restart{stroke:#059669;stroke-dasharray:4 3}
svg .working{fill:#dc7a3c}svg .waiting{fill:#93b4dd}svg .blocked{fill:#8b6fbf}svg .bar{fill:#5b8def}svg .mark{stroke:#dc2626}
.key i{display:inline-block;width:12px;height:12px;margin:0 4px 0 14px;border-radius:2px}
input[type=number]{width:4em;font:inherit;background:var(--page);color:var(--ink);border:1px solid var(--line);border-radius:4px}
)css";

/// What k replicas of the stages would do: the slowest worker sets the pace. Service times are in the page's table.
/// More replicas are never slower than what was measured, so the prediction is scaled to that where it is below.
constexpr const char* kScript = R"js(
const rows=[...document.querySelectorAll('#whatif tbody tr')];
const rate=v=>v>=1e6?(v/1e6).toFixed(2)+' M':v>=1e3?(v/1e3).toFixed(2)+' k':v.toFixed(2);
let first=0;
function update(){
  let slowest=null,limit=Infinity;
  for(const row of rows){
    const k=Math.max(1,+row.querySelector('input').value||1),capacity=k/+row.dataset.service;
    row.querySelector('.capacity').textContent=rate(capacity)+'/s';
    row.classList.remove('hot');
    if(capacity<limit){limit=capacity;slowest=row;}
  }
  if(slowest){
    slowest.classList.add('hot');
    const now=+document.querySelector('#whatif').dataset.now;
    first=first||limit;
    const predicted=limit*Math.max(1,now/first);
    document.querySelector('#predicted').textContent=rate(predicted)+' items/s ('+(predicted/now).toFixed(2)+' times what was measured), limited by '+slowest.dataset.name;
  }
}
document.querySelectorAll('#whatif input').forEach(i=>i.addEventListener('input',update));update();
)js";

std::string card(const std::string& value, const std::string& label) {
  return "<div class=\"card\"><b>" + base::html_text(value) + "</b><span>" + base::html_text(label) + "</span></div>";
}

std::string cell(const std::string& text) {
  return "<td>" + base::html_text(text) + "</td>";
}

std::string head(const profile::RunSummary& summary) {
  const profile::KeySummary* main = summary.find("MainPipeline");
  std::uint64_t restarts = 0;
  std::uint64_t drops = 0;
  std::uint64_t errors = 0;
  std::string last_worker;
  for (const profile::KeySummary& key : summary.keys) {
    restarts += key.worker != last_worker ? key.restarts : 0;
    last_worker = key.worker;
    drops += key.dropped;
    errors += key.errors;
  }
  std::string html = "<h1>" + base::html_text(summary.name) + ", run " + std::to_string(summary.run) + "</h1><p>" +
                     base::date_text(summary.started) + " on " + base::html_text(summary.host) + ", <span class=\"" +
                     (summary.outcome == "failed" || summary.outcome == "lost" ? "bad" : "") + "\">" +
                     base::html_text(summary.outcome) + "</span>" +
                     (summary.reason.empty() ? "" : ": " + base::html_text(plan::short_key(summary.reason))) +
                     "</p><div class=\"cards\">";
  if (main != nullptr) {
    html += card(base::number_text(static_cast<double>(main->items)), "items");
    html += card(main->items_per_s > 0 ? base::number_text(main->items_per_s) : "-", "items/s");
    html += card(base::time_text(main->p50_s), "latency p50") + card(base::time_text(main->p99_s), "latency p99");
  }
  html += card(base::time_text(summary.duration_s), "duration") + card(std::to_string(restarts), "restarts");
  html += card(std::to_string(errors), "errors") + card(std::to_string(drops), "drops");
  html += card(std::to_string(summary.dead_letters), "dead letters") + "</div>";
  if (!summary.bottleneck.empty()) {
    html += "<p><b>Bottleneck:</b> " + base::html_text(plan::short_key(summary.bottleneck)) + ".</p>";
  }
  return html;
}

std::string table(const profile::RunSummary& summary) {
  std::string html =
      "<div "
      "class=\"scroll\"><table><thead><tr><th>key</th><th>items</th><th>mean</th><th>p50</th><th>p90</th><th>p99</th>"
      "<th>p99.9</th><th>max</th><th>items/s</th><th>in "
      "link</th><th>queueing</th><th>oldest</th><th>restarts</th><th>drops</th><th>errors</th></tr></thead><tbody>";
  for (const profile::KeySummary& key : summary.keys) {
    html += std::string("<tr") + (key.bottleneck ? " class=\"hot\"" : "") + ">" +
            cell(plan::replicas_name(key.key, key.replicas));
    html += cell(std::to_string(key.items)) + cell(base::time_text(key.mean_s));
    for (const double time : {key.p50_s, key.p90_s, key.p99_s, key.p999_s, key.max_s}) {
      html += cell(key.samples > 0 ? base::time_text(time) : "-");
    }
    html += cell(key.items_per_s > 0 ? base::number_text(key.items_per_s) : "-");
    html += cell(key.has_link ? base::percent_text(key.fill) : "-");
    html += cell(key.has_link ? base::time_text(key.queueing_s) : "-");
    html += cell(key.oldest_s > 0 ? base::time_text(key.oldest_s) : "-") + cell(std::to_string(key.restarts));
    html += cell(std::to_string(key.dropped)) + cell(std::to_string(key.errors)) + "</tr>";
  }
  return html + "</tbody></table></div>";
}

std::string what_if(const profile::RunSummary& summary) {
  const profile::KeySummary* main = summary.find("MainPipeline");
  if (main == nullptr || main->items_per_s <= 0) {
    return "<h2>What if a stage had replicas?</h2><p>Too few items, or too short a run, to tell.</p>";
  }
  std::string html =
      "<h2>What if a stage had replicas?</h2><p>With a core for each of them the slowest worker sets the pace: "
      "<b id=\"predicted\"></b></p><div class=\"scroll\"><table id=\"whatif\" data-now=\"" +
      base::json_number(main->items_per_s) +
      "\"><thead><tr><th>worker</th><th>time an item</th><th>replicas</th><th>could do</th></tr></thead><tbody>";
  for (const profile::Workload& load : profile::workloads(summary.keys)) {
    const std::string name = plan::short_key(load.name);
    html += "<tr data-name=\"" + base::html_text(name) + "\" data-service=\"" + base::json_number(load.service_s) +
            "\">" + cell(name) + cell(base::time_text(load.service_s)) + "<td><input type=\"number\" min=\"1\" max=\"" +
            (load.may_have_replicas ? "64" : "1") + "\" value=\"" + std::to_string(load.replicas) +
            "\" aria-label=\"replicas\"></td><td class=\"capacity\"></td></tr>";
  }
  return html + "</tbody></table></div>";
}

std::string events(const ReportData& data) {
  std::string rows;
  std::size_t shown = 0;
  for (const ReportEvent& event : data.events) {
    if (event.kind != "start" && ++shown <= 200) {
      rows += "<tr>" + cell(base::time_text(event.time_s)) + cell(event.kind) + cell(plan::short_key(event.worker)) +
              "<td style=\"text-align:left;white-space:normal\">" + base::html_text(plan::short_key(event.text)) +
              "</td></tr>";
    }
  }
  if (rows.empty()) {
    return {};
  }
  return "<h2>Events</h2><div "
         "class=\"scroll\"><table><thead><tr><th>time</th><th>what</th><th>worker</th><th>text</th></tr>"
         "</thead><tbody>" +
         rows + "</tbody></table></div>" +
         (shown > 200 ? "<p>" + std::to_string(shown - 200) + " more are in the database.</p>" : "");
}

}  // namespace

std::string to_html(const ReportData& data) {
  const profile::RunSummary& summary = data.summary;
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>" +
      base::html_text(summary.name) + ", run " + std::to_string(summary.run) + "</title><style>" + kStyle +
      "</style></head><body>" + head(summary);
  html += "<h2>Workers and links</h2>" + graph_chart(data);
  html += "<h2>Stages</h2>" + table(summary);
  html += "<h2>Throughput over time</h2>" + throughput_chart(data);
  html += "<p class=\"key small\">Red lines: crashes; green, dashed: restarts.</p>";
  html +=
      "<h2>Where the time goes</h2><p class=\"key\"><i style=\"background:#dc7a3c;margin-left:0\"></i>working"
      "<i style=\"background:#93b4dd\"></i>waiting for input<i style=\"background:#8b6fbf\"></i>blocked on output</p>" +
      state_bars(data);
  html += "<h2>Latency</h2><div class=\"charts\">";
  for (const store::KeyWindows& key : data.keys) {
    if (const profile::KeySummary* found = summary.find(key.key)) {
      html += latency_chart(key, *found);
    }
  }
  html += "</div>" + what_if(summary) + events(data);
  return html + "<script>" + kScript + "</script></body></html>\n";
}

ReportData read_report(store::Database& database, std::int64_t run) {
  ReportData data{.summary = store::read_summary(database, run),
                  .keys = store::read_windows(database, run),
                  .links = {},
                  .events = {}};
  const bool old = database.query_integer("PRAGMA user_version").value_or(0) < store::kLinkFillVersion;
  const std::string fill = old ? "avg(fill_bytes) / max(capacity_bytes, 1)" : "avg(fill)";
  store::Statement links(
      database,
      "SELECT links.name, (SELECT worker_name FROM stages WHERE stages.run = links.run AND worker = producer), "
      "(SELECT worker_name FROM stages WHERE stages.run = links.run AND worker = consumer), "
      "coalesce((SELECT " +
          fill +
          " FROM link_windows WHERE link = links.id), 0), "
          "dropped FROM links WHERE run = ? ORDER BY position");
  links.bind(1, run);
  while (links.step()) {
    data.links.push_back({.name = links.text(0),
                          .producer = links.text(1),
                          .consumer = links.text(2),
                          .fill = links.real(3),
                          .dropped = links.number(4)});
  }
  store::Statement events(
      database, "SELECT time_ns * 1e-9, kind, worker, text, signal, code FROM events WHERE run = ? ORDER BY id");
  events.bind(1, run);
  while (events.step()) {
    std::string text = events.text(3);
    if (events.integer(4) != 0) {
      text = "signal " + events.text(4) + (text.empty() ? "" : ": " + text);
    } else if (events.integer(5) != 0) {
      text = "exit code " + events.text(5) + (text.empty() ? "" : ": " + text);
    }
    data.events.push_back(
        {.time_s = events.real(0), .kind = events.text(1), .worker = events.text(2), .text = std::move(text)});
  }
  return data;
}

}  // namespace pystream::report
