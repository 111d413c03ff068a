// Past runs: for whoever asks when it became slow, or whether a change helped.
import {get} from "./api.js";
import {colour, lineChart} from "./charts.js";
import {element, figures, show, stateBar, stateKey, table} from "./dom.js";
import {count, date, percent, plural, rate, short, shortKey, span, time} from "./format.js";

const kPoints = 400;
const kShown = 8;  // stages whose lines are shown at first

export function runsScreen(place) {
  const chosen = new Set();
  let runs = [];
  const redraw = () => {
    const columns = [
      {title: "compare", choose: true, show: ({run}) => element("input", {type: "checkbox", checked: chosen.has(run), "aria-label": `Compare run ${run}`, "data-focus": `choose-${run}`,
        onchange: (event) => {
          event.target.checked ? chosen.add(run) : chosen.delete(run);
          if (chosen.size > 2) chosen.delete([...chosen][0]);
          redraw();
        }})},
      {title: "run", head: true, left: true, value: ({run}) => run, show: ({run, name}) => element("a", {href: `#/run/${run}`, "data-focus": `run-${run}`}, `${run}`)},
      {title: "name", left: true, value: ({name}) => name},
      {title: "started", left: true, value: ({started}) => started, show: ({started}) => date(started)},
      {title: "took", value: (run) => run.duration_s, show: (run) => (run.duration_s === null ? "–" : time(run.duration_s))},
      {title: "outcome", left: true, value: ({outcome}) => outcome, show: ({outcome}) => element("span", {class: `badge ${outcome === "done" || outcome === "running" ? "good" : outcome === "interrupted" || outcome === "unprofiled" ? "warn" : "bad"}`}, outcome)},
      {title: "items", value: ({items}) => items, show: ({items}) => count(items)},
      {title: "errors", value: ({errors}) => errors, show: ({errors}) => count(errors)},
      {title: "restarts", value: ({restarts}) => restarts, show: ({restarts}) => count(restarts)},
      {title: "drops", value: ({dropped}) => dropped, show: ({dropped}) => count(dropped)},
      {title: "letters", value: (run) => run.dead_letters, show: (run) => (run.dead_letters ? element("a", {href: `#/letters/${run.run}`, "data-focus": `letters-${run.run}`}, count(run.dead_letters)) : "0")},
      {title: "reason", left: true, wrap: true, value: ({reason}) => reason, show: ({reason}) => shortKey(reason), none: ({reason}) => !reason},
    ];
    const two = [...chosen].sort((a, b) => a - b);
    show(place, element("h1", {}, "History"),
      element("div", {class: "tools"}, element("button", {type: "button", id: "compare", disabled: two.length !== 2, "data-focus": "compare",
        onclick: () => { location.hash = `#/compare/${two[0]}/${two[1]}`; }}, two.length === 2 ? `Compare runs ${two[0]} and ${two[1]}` : "Choose two runs to compare")),
      runs.length ? table(columns, runs, {id: "runs", changed: redraw, sort: {column: 1, down: true}, label: "Runs"}) : element("p", {class: "faint"}, "The profile database holds no runs yet."));
  };
  return {
    title: "History",
    period: 5000,
    async update() {
      try {
        runs = await get("/api/runs");
      } catch (error) {
        if (error.status !== 404) throw error;
        runs = [];
      }
      redraw();
    },
  };
}

/** What a series says of each step of time. */
const kMeasures = {
  rate: {title: "Items per second", y: (s, i) => (s.span_s[i] > 0 ? s.items[i] / s.span_s[i] : NaN), format: (v) => short(v), pipelines: true},
  mean: {title: "Mean time per item", y: (s, i) => (s.items[i] > 0 ? s.busy_s[i] / s.items[i] : NaN), format: time, pipelines: true},
  working: {title: "Share of time at work", y: (s, i) => {
    const all = s.waiting_s[i] + s.working_s[i] + s.blocked_s[i];
    return all > 0 ? s.working_s[i] / all : NaN;
  }, format: percent, top: 1},
};
const kLinkMeasures = {
  inside: {title: "Items inside each link", y: (s, i) => s.inside[i], format: (v) => short(v)},
  oldest: {title: "Age of the oldest item in each link", y: (s, i) => s.oldest_s[i], format: time},
};

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Charts of one run, with a choice of stages and of time. */
class RunCharts {
  /** `beside`: the charts of another run; both have the same colours and scales. */
  constructor(run, events, beside = null) {
    this.run = run;
    this.events = events;
    this.hidden = null;
    this.place = element("div", {});
    this.range = {from: 0, to: 0};
    this.tops = {};
    this.colours = beside ? beside.colours : new Map();
    this.others = [];
    dark.addEventListener("change", () => {
      this.colours.clear();
      if (this.history && this.place.isConnected) this.draw();
    });
    if (beside) {
      beside.others.push(this);
      this.others.push(beside);
    }
  }

  colourOf(name) {
    if (!this.colours.has(name)) this.colours.set(name, colour(this.colours.size));
    return this.colours.get(name);
  }

  async load(from = this.range.from, to = this.range.to) {
    this.range = {from: Math.max(0, Math.floor(from)), to: Math.ceil(to)};
    const began = performance.now();
    const asked = this.answer;
    this.answer = null;
    this.history = await (asked || get("/api/history", {run: this.run, from: this.range.from, to: this.range.to, points: kPoints}));
    if (!this.hidden) {
      const busy = (one) => one.busy_s.reduce((sum, value) => sum + value, 0);
      const stages = this.history.keys.filter((one) => one.role !== "pipeline").sort((a, b) => busy(b) - busy(a));
      this.hidden = new Set(stages.slice(kShown).map((one) => one.key));
    }
    this.draw();
    for (const other of this.others) if (other.history) other.draw();
    this.place.dataset.loadedMs = String(Math.round(performance.now() - began));
  }

  chart(list, measure, name, key, legend) {
    const {from_s: from, to_s: to} = this.history;
    const series = list.map((one) => ({name: shortKey(name(one)), colour: this.colourOf(name(one)), x: one.begin_s, y: one.begin_s.map((_, i) => measure.y(one, i))}));
    this.tops[key] = Math.max(0, ...series.map((one) => Math.max(0, ...one.y.filter(Number.isFinite))));
    const top = measure.top || Math.max(this.tops[key], ...this.others.map((other) => other.tops[key] || 0)) || null;
    const figure = lineChart(series, {title: measure.title, format: measure.format, top, from, to, focus: `${this.run}-${key}`, events: this.events, zoom: (a, b) => this.load(a, b)});
    if (legend) figure.append(element("p", {class: "key"}, series.map((one) => element("span", {}, this.dot(one.colour), one.name))));
    return figure;
  }

  dot(paint) {
    const swatch = element("span", {"aria-hidden": "true"}, "● ");
    swatch.style.color = paint;
    return swatch;
  }

  draw() {
    const {history} = this;
    const keys = history.keys.map((one, at) => ({...one, at}));
    const visible = keys.filter((one) => !this.hidden.has(one.key));
    const links = history.links.map((one, at) => ({...one, at}));
    const worst = (one) => Math.max(0, ...one.inside);
    const shownLinks = links.length > kShown ? [...links].sort((a, b) => worst(b) - worst(a)).slice(0, kShown) : links;
    const legend = element("div", {class: "legend", role: "group", "aria-label": "Stages shown"}, keys.map((one) => {
      return element("button", {type: "button", "aria-pressed": String(!this.hidden.has(one.key)), "data-focus": `legend-${this.run}-${one.key}`, onclick: () => {
        this.hidden.has(one.key) ? this.hidden.delete(one.key) : this.hidden.add(one.key);
        this.draw();
      }}, this.dot(this.colourOf(one.key)), shortKey(one.key));
    }));
    const {from_s: from, to_s: to} = history;
    const wide = to - from;
    const zoom = (text, a, b, off) => element("button", {type: "button", disabled: off, "data-focus": `${text}-${this.run}`, onclick: () => this.load(a, b)}, text);
    show(this.place,
      element("div", {class: "tools"}, zoom("Whole run", 0, 0, this.range.from === 0 && this.range.to === 0), zoom("Zoom in", from + wide / 4, to - wide / 4, wide < 8),
        zoom("Earlier", Math.max(0, from - wide / 2), Math.max(wide, to - wide / 2), from <= 0), zoom("Later", from + wide / 2, to + wide / 2, this.range.to === 0),
        element("span", {class: "faint"}, `${span(from) || "0 s"} to ${span(to)}, a point for ${span(history.step_s)}`)),
      legend,
      element("div", {class: "charts"},
        Object.entries(kMeasures).map(([key, measure]) => this.chart(visible.filter((one) => measure.pipelines || one.role !== "pipeline"), measure, (one) => one.key, key)),
        Object.entries(kLinkMeasures).map(([key, measure]) => this.chart(shownLinks, measure, (one) => one.name, key, true))),
      links.length > shownLinks.length && element("p", {class: "faint"}, `Of ${links.length} links the ${shownLinks.length} that held most.`));
  }
}

function summaryHead(summary) {
  const main = summary.keys.find((key) => key.key === "MainPipeline");
  const restarts = new Map(summary.keys.filter((key) => key.worker).map((key) => [key.worker, key.restarts]));
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  return [
    element("p", {class: "faint"}, `${date(summary.started)} on ${summary.host}, `, element("span", {class: summary.outcome === "failed" || summary.outcome === "lost" ? "bad" : null}, summary.outcome),
      summary.reason ? `: ${shortKey(summary.reason)}` : ""),
    figures([main && ["items", count(main.items)], main && ["items/s", rate(main.items_per_s)], main && ["latency p50", time(main.p50_s)], main && ["latency p99", time(main.p99_s)],
      ["duration", time(summary.duration_s)], ["restarts", count(sum([...restarts.values()]))], ["dead letters", count(summary.dead_letters)]]),
    summary.bottleneck && element("p", {}, element("strong", {}, "Bottleneck: "), shortKey(summary.bottleneck), "."),
  ];
}

function summaryTable(summary, changed) {
  const columns = [
    {title: "stage", left: true, head: true, value: ({at}) => at, show: ({key}) => shortKey(key.key) + (key.replicas > 1 ? ` ×${key.replicas}` : "")},
    {title: "items", value: ({key}) => key.items, show: ({key}) => count(key.items)},
    {title: "items/s", value: ({key}) => key.items_per_s, show: ({key}) => rate(key.items_per_s)},
    {title: "mean", value: ({key}) => key.mean_s, show: ({key}) => time(key.mean_s)},
    {title: "p50", value: ({key}) => key.p50_s, show: ({key}) => time(key.p50_s)},
    {title: "p99", value: ({key}) => key.p99_s, show: ({key}) => time(key.p99_s)},
    {title: "max", value: ({key}) => key.max_s, show: ({key}) => time(key.max_s)},
    {title: "time", value: ({key}) => key.working, show: ({key}) => (key.role === "pipeline" ? "" : stateBar(key.waiting, key.working, key.blocked))},
    {title: "in link", value: ({key}) => key.fill, show: ({key}) => (key.fill > 0 ? percent(key.fill) : "–")},
    {title: "queueing", value: ({key}) => key.queueing_s, show: ({key}) => (key.queueing_s > 0 ? time(key.queueing_s) : "–")},
    {title: "oldest", value: ({key}) => key.oldest_s, show: ({key}) => (key.oldest_s > 0 ? time(key.oldest_s) : "–")},
    {title: "restarts", value: ({key}) => key.restarts, show: ({key}) => count(key.restarts)},
    {title: "errors", value: ({key}) => key.errors, show: ({key}) => count(key.errors)},
    {title: "drops", value: ({key}) => key.dropped, show: ({key}) => count(key.dropped)},
  ];
  return table(columns, summary.keys.map((key, at) => ({key, at})), {id: "summary", changed, label: "Stages of the run", rowAttributes: ({key}) => ({class: key.bottleneck ? "hot" : null})});
}

function eventList(found) {
  const shown = found.events.filter((event) => event.kind !== "restart").slice(-100).reverse();
  return shown.length > 0 && [element("h2", {}, "What happened"), shown.map((event) => element("details", {},
    element("summary", {}, `after ${time(event.seconds)}: ${event.kind.replace("_", " ")}${event.worker ? ` of ${shortKey(event.worker)}` : ""}, ${shortKey(event.text).split("\n")[0].slice(0, 160)}`),
    element("pre", {class: "wrapped"}, event.text)))];
}

const crashes = (found) => found.events.filter((event) => event.kind === "crash").map((event) => ({seconds: event.seconds, text: event.text.split("\n")[0]}));

export function runScreen(place, run) {
  const head = element("div", {});
  const stages = element("div", {});
  const events = element("div", {});
  let charts = null;
  let first = false;
  let done = false;
  let looks = 0;
  return {
    title: `Run ${run}`,
    period: 3000,
    async update() {
      if (done) return;
      const question = get("/api/run", {run});
      if (!charts) {
        charts = new RunCharts(run, []);
        charts.answer = get("/api/history", {run, from: 0, to: 0, points: kPoints});
        charts.answer.catch(() => {});  // told where it is waited for
        first = true;
      }
      const found = await question;
      const {summary} = found;
      done = summary.outcome !== "running";
      show(head, element("h1", {}, `${summary.name}, run ${run}`), summaryHead(summary),
        element("p", {}, element("a", {href: "#/runs", "data-focus": "all"}, "All runs"), summary.dead_letters > 0 && [" · ", element("a", {href: `#/letters/${run}`, "data-focus": "letters"}, plural(summary.dead_letters, "dead letter"))]));
      const drawTable = () => show(stages, summaryTable(summary, drawTable));
      drawTable();
      show(events, eventList(found));
      if (first) {
        first = false;
        charts.events = crashes(found);
        show(place, head, element("h2", {}, "Course"), charts.place, element("h2", {}, "Stages"), stateKey(), stages, events);
        await charts.load();
      } else if (looks % 3 === 0 || done) {
        charts.events = crashes(found);
        await charts.load();
      }
      ++looks;
    },
  };
}

const kCompared = [["items/s", "items_per_s", rate, true], ["mean", "mean_s", time, false], ["p50", "p50_s", time, false], ["p99", "p99_s", time, false]];

/** Both values and what became of them. A change that is more than noise is in words, so colour is not alone in telling. */
function changeCell(before, after, metric, changes, key) {
  const [title, name, format, more] = metric;
  const [a, b] = [before && before[name], after && after[name]];
  if (!a || !b) return `${before ? format(a) : "–"} → ${after ? format(b) : "–"}`;
  const change = b / a - 1;
  const known = changes.find((one) => one.key === key && one.metric === (title === "items/s" ? "throughput" : title));
  const better = more ? change > 0 : change < 0;
  const text = `${change > 0 ? "+" : ""}${(100 * change).toFixed(Math.abs(change) < 0.1 ? 1 : 0)} %`;
  const verdict = known && known.real && Math.abs(change) > 0.005 ? (better ? " better" : " worse") : "";
  return [`${format(a)} → ${format(b)} `, element("strong", {class: verdict === " worse" ? "bad" : null}, text + verdict)];
}

export function compareScreen(place, before, after) {
  return {
    title: `Runs ${before} and ${after}`,
    period: 0,
    async update() {
      const [a, b, compared] = await Promise.all([get("/api/run", {run: before}), get("/api/run", {run: after}), get("/api/compare", {before, after})]);
      const keys = [...new Set([...a.summary.keys, ...b.summary.keys].map((key) => key.key))];
      const of = (found, key) => found.summary.keys.find((one) => one.key === key);
      const redraw = () => show(compareTable, table([
        {title: "stage", left: true, head: true, value: (key) => keys.indexOf(key), show: shortKey},
        ...kCompared.map((metric) => ({title: metric[0], value: (key) => ((of(b, key) || {})[metric[1]] || 0) / ((of(a, key) || {})[metric[1]] || Infinity), show: (key) => changeCell(of(a, key), of(b, key), metric, compared.changes, key)})),
      ], keys, {id: "compare", changed: redraw, label: "Changes"}));
      const compareTable = element("div", {});
      redraw();
      const first = new RunCharts(before, crashes(a));
      const charts = [first, new RunCharts(after, crashes(b), first)];
      show(place, element("h1", {}, `Run ${before} and run ${after}`),
        element("p", {class: "faint"}, compared.too_long ? "The runs are too long to tell noise from change; see pystream-coord diff." : "“better” and “worse” stand where a change is more than noise."),
        compareTable,
        element("div", {class: "sides"}, charts.map((chart, at) => element("section", {"aria-label": `Run ${chart.run}`},
          element("h2", {}, element("a", {href: `#/run/${chart.run}`}, `${[a, b][at].summary.name}, run ${chart.run}`)), summaryHead([a, b][at].summary), chart.place))));
      await Promise.all(charts.map((chart) => chart.load()));
    },
  };
}
