// Overview: for whoever is on call. Is it well, and if not, where?
import {get} from "./api.js";
import {element, figures, show} from "./dom.js";
import {count, percent, plural, rate, shortKey, span, time} from "./format.js";

const kRecentS = 120;
const restartsSeen = new Map();  // by process id: [{time, restarts}, …]

/** How many restarts there were in the last two minutes, as far as this page has seen. */
function recentRestarts(status) {
  const now = performance.now() / 1000;
  const total = status.workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const seen = restartsSeen.get(status.pid) || [{time: now - Math.min(status.uptime_s, kRecentS), restarts: status.uptime_s < kRecentS ? 0 : total}];
  seen.push({time: now, restarts: total});
  while (seen.length > 2 && now - seen[1].time > kRecentS) seen.shift();
  restartsSeen.set(status.pid, seen);
  return total - seen[0].restarts;
}

/** What is to be said of a pipeline, the worst first: [{level: "bad" | "warn" | "good", text}]. */
export function verdict(status) {
  const found = [];
  const say = (level, text) => found.push({level, text});
  for (const worker of status.workers) {
    if (worker.pid === 0 && status.state !== "starting" && worker.state === "not running" && status.state === "running" && worker.restarts > 0) {
      say("bad", `${shortKey(worker.name)} is not running`);
    }
  }
  if (status.state === "stopping") say("bad", "it is being stopped");
  for (const stage of status.stages) {
    if (stage.in_work_s > 10) say("bad", `${shortKey(stage.key)} has been with ${stage.in_work} for ${time(stage.in_work_s)}`);
  }
  const recent = recentRestarts(status);
  const restarted = status.workers.filter((worker) => worker.restarts > 0).map((worker) => shortKey(worker.name));
  if (recent > 0) say("bad", `${plural(recent, "restart")} in the last two minutes: ${restarted.join(", ")}`);
  const lost = status.stages.filter((stage) => stage.errors > 0);
  if (lost.length) {
    const letters = lost.reduce((sum, stage) => sum + stage.letters, 0);
    const errors = lost.reduce((sum, stage) => sum + stage.errors, 0);
    say("warn", `${plural(errors, "item")} given up by ${lost.map((stage) => shortKey(stage.key)).join(", ")}${letters ? `, ${count(letters)} kept as dead letters` : ""}`);
  }
  const dropped = status.links.reduce((sum, link) => sum + link.dropped, 0);
  if (dropped) say("warn", `${plural(dropped, "item")} dropped by full links`);
  const oldest = Math.max(0, ...status.links.map((link) => link.oldest_s));
  if (oldest > 30) say("warn", `the oldest item inside is ${span(oldest)} old`);
  if (status.state === "draining") say("warn", "it drains: its sources have ended");
  if (status.state === "starting") say("warn", "it starts");
  if (!found.length) say("good", "well");
  const order = {bad: 0, warn: 1, good: 2};
  return found.sort((a, b) => order[a.level] - order[b.level]);
}

export function limitOf(status) {
  const stage = status.stages.find((one) => one.bottleneck);
  return stage ? `${shortKey(stage.key).replace(/#\d+/g, "")} limits it: it works ${percent(stage.working)} of the time` : null;
}

export function totals(status) {
  const restarts = status.workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const letters = status.stages.reduce((sum, stage) => sum + stage.letters, 0);
  return figures([["items/s", rate(status.items_per_s)], ["items", count(status.items)], ["latency p99", status.p99_s > 0 ? time(status.p99_s) : "–"],
    ["restarts", count(restarts)], ["dead letters", count(letters)], ["up", span(status.uptime_s)]]);
}

function card({status}, label) {
  const said = verdict(status);
  const level = said[0].level;
  const limit = limitOf(status);
  return element("a", {class: `card ${level}`, href: `#/pipeline/${status.pid}`, "data-focus": `card-${status.pid}`},
    element("h2", {}, status.name, element("span", {class: "badge"}, status.state), label && element("span", {class: "faint"}, label)),
    element("ul", {class: "verdict"}, said.slice(0, 4).map(({level: how, text}) => element("li", {class: how}, text)), limit && element("li", {class: "faint"}, limit)),
    totals(status));
}

function lettersNotice(letters, pipelines) {
  const others = letters.filter((entry) => entry.letters > 0);
  if (!others.length) return null;
  const sum = others.reduce((total, entry) => total + entry.letters, 0);
  return element("p", {class: "notice"}, `The profile database keeps ${plural(sum, "dead letter")} of ${others.map((entry) => entry.name || "runs that are deleted").join(", ")}. `,
    element("a", {href: "#/letters"}, "Look at them"));
}

async function recentRuns() {
  try {
    return (await get("/api/runs")).filter((run) => run.outcome !== "running" && run.outcome !== "unprofiled").slice(-5).reverse();
  } catch {
    return [];
  }
}

export function overview(place) {
  let runs = [];
  let looks = 0;
  return {
    title: "Overview",
    async update() {
      const all = await get("/api/overview");
      if (looks++ % 5 === 0) runs = await recentRuns();
      const names = all.pipelines.map(({status}) => status.name);
      const cards = all.pipelines.map((pipeline) => ({pipeline, level: verdict(pipeline.status)[0].level}));
      const bad = cards.filter(({level}) => level === "bad").length + all.silent.length;
      const headline = !cards.length && !all.silent.length ? "No pipeline runs" :
        bad ? `${plural(bad, "pipeline")} of ${cards.length + all.silent.length} ${bad === 1 ? "needs" : "need"} a look` : `${plural(cards.length, "pipeline")} ${cards.length === 1 ? "runs" : "run"}`;
      const rank = {bad: 0, warn: 1, good: 2};
      cards.sort((a, b) => rank[a.level] - rank[b.level] || a.pipeline.status.name.localeCompare(b.pipeline.status.name));
      show(place, element("h1", {}, headline),
        element("div", {class: "cards"},
          all.silent.map((pid) => element("div", {class: "card bad"}, element("h2", {}, `Process ${pid}`, element("span", {class: "badge bad"}, "silent")),
            element("p", {}, "It runs a pipeline and does not answer. If it is stopped, continue it: ", element("code", {}, `kill -CONT ${pid}`)))),
          cards.map(({pipeline}) => card(pipeline, names.filter((name) => name === pipeline.status.name).length > 1 ? `pid ${pipeline.status.pid}` : null))),
        !cards.length && element("p", {class: "faint"}, "Start one: ", element("code", {}, "pystream-coord run plan.json"), ". It appears here by itself."),
        lettersNotice(all.letters, all.pipelines),
        runs.length > 0 && [element("h2", {}, "Ended last"), element("ul", {}, runs.map((run) => element("li", {},
          element("a", {href: `#/run/${run.run}`, "data-focus": `run-${run.run}`}, `${run.name}, run ${run.run}`), ` ${run.outcome}`,
          run.outcome === "done" ? "" : element("span", {class: "bad"}, run.reason ? `: ${shortKey(run.reason)}` : ""),
          run.duration_s !== null ? `, took ${time(run.duration_s)}` : "")))]);
    },
  };
}
