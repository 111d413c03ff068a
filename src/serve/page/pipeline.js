// One running pipeline: for whoever works on it. Which stage limits it, which one fails, where items wait?
import {get, post, setToken, token} from "./api.js";
import {ask, element, show, stateBar, stateKey, table} from "./dom.js";
import {count, percent, rate, shortKey, size, time} from "./format.js";
import {drawGraph} from "./graph.js";
import {limitOf, totals, verdict} from "./overview.js";

function stageRows({status, usage}) {
  const workers = new Map(status.workers.map((worker, at) => [worker.name, {worker, usage: usage[at] || {}}]));
  let last = null;
  return status.stages.map((stage, at) => {
    const {worker = {}, usage: use = {}} = workers.get(stage.worker) || {};
    const first = stage.worker !== last;
    last = stage.worker;
    return {at, stage, worker, use, first};
  });
}

function stageTable(pipeline, filter, changed) {
  const ofWorker = (text) => (row) => (row.first ? text(row) : "");
  const columns = [
    {title: "stage", left: true, head: true, value: ({at}) => at, show: ({stage}) => [shortKey(stage.key), stage.bottleneck ? " ◀ limits" : ""]},
    {title: "state", left: true, value: ({stage}) => stage.state || "", show: ofWorker(({stage, worker}) => stage.in_work_s > 2 ? `${stage.in_work} for ${time(stage.in_work_s)}` : worker.pid === 0 ? "not running" : worker.state)},
    {title: "items/s", value: ({stage}) => stage.items_per_s, show: ({stage}) => rate(stage.items_per_s)},
    {title: "items", value: ({stage}) => stage.items, show: ({stage}) => count(stage.items)},
    {title: "mean", value: ({stage}) => stage.mean_s, show: ({stage}) => (stage.mean_s > 0 ? time(stage.mean_s) : "–")},
    {title: "p99", value: ({stage}) => stage.p99_s, show: ({stage}) => (stage.p99_s > 0 ? time(stage.p99_s) : "–")},
    {title: "in link", value: ({stage}) => stage.fill, show: ofWorker(({stage}) => (stage.role === "source" ? "–" : percent(stage.fill)))},
    {title: "queueing", value: ({stage}) => stage.queueing_s, show: ofWorker(({stage}) => (stage.queueing_s > 0 ? time(stage.queueing_s) : "–"))},
    {title: "oldest", value: ({stage}) => stage.oldest_s, show: ofWorker(({stage}) => (stage.oldest_s > 0 ? time(stage.oldest_s) : "–"))},
    {title: "time", value: ({stage}) => stage.working, show: ofWorker(({stage}) => stateBar(stage.waiting, stage.working, stage.blocked))},
    {title: "restarts", value: ({worker}) => worker.restarts, show: ofWorker(({worker}) => count(worker.restarts))},
    {title: "given up", value: ({stage}) => stage.errors, show: ({stage}) => count(stage.errors)},
    {title: "drops", value: ({stage}) => stage.dropped, show: ofWorker(({stage}) => count(stage.dropped))},
    {title: "memory", value: ({use}) => use.memory_bytes, show: ofWorker(({use}) => (use.memory_bytes ? size(use.memory_bytes) : "–"))},
    {title: "cpu", value: ({use}) => use.cpu, show: ofWorker(({use}) => percent(use.cpu))},
    {title: "pid", value: ({worker}) => worker.pid, show: ofWorker(({worker}) => (worker.pid ? String(worker.pid) : "–"))},
  ];
  const wanted = filter.toLowerCase();
  const rows = stageRows(pipeline).filter(({stage}) => shortKey(stage.key).toLowerCase().includes(wanted));
  return table(columns, rows, {id: "stages", changed, label: "Stages",
    rowAttributes: ({stage}) => ({class: stage.bottleneck ? "hot" : null, id: `stage-${stage.key}`})});
}

function linkTable({status}, changed) {
  const columns = [
    {title: "link", left: true, head: true, value: (link) => shortKey(link.name)},
    {title: "fill", value: (link) => link.fill, show: (link) => percent(link.fill)},
    {title: "items inside", value: (link) => link.items, show: (link) => count(link.items)},
    {title: "bytes", value: (link) => link.bytes, show: (link) => `${size(link.bytes)} of ${size(link.capacity_bytes)}`},
    {title: "oldest item", value: (link) => link.oldest_s, show: (link) => (link.oldest_s > 0 ? time(link.oldest_s) : "–")},
    {title: "items done", value: (link) => link.items_done, show: (link) => count(link.items_done)},
    {title: "drops", value: (link) => link.dropped, show: (link) => count(link.dropped)},
  ];
  return table(columns, status.links, {id: "links", changed, label: "Links"});
}

/** Asks for the token if this tab has none; false: it is not given. */
export async function haveToken() {
  if (token()) return true;
  const field = element("input", {type: "password", autocomplete: "off", "aria-label": "Token", size: 40});
  if (!await ask("Token", element("div", {}, element("p", {}, "Where the server was started it has printed an address with a token. Paste the token here."), field), [["Use it", "use", "primary"]])) return false;
  setToken(field.value.replace(/^.*token=/, ""));
  return token() !== "";
}

/** Does what needs the token; shows in `notice` what went wrong. */
export async function control(notice, action) {
  if (!await haveToken()) return;
  try {
    await action();
  } catch (error) {
    if (error.status === 401) setToken("");
    show(notice, element("p", {class: "notice bad"}, error.message));
  }
}

export function pipelineScreen(place, pid, setup) {
  const head = element("div", {});
  const notice = element("div", {role: "status"});
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-label", "Processes and links");
  svg.setAttribute("role", "group");
  const graph = element("div", {}, svg);
  const filter = element("input", {type: "search", placeholder: "name", "aria-label": "Show only stages whose name holds"});
  const stages = element("div", {});
  const links = element("div", {});
  let pipeline = null;
  const redraw = () => {
    if (!pipeline) return;
    drawGraph(svg, pipeline.status, (box) => `#/pipeline/${pid}/${encodeURIComponent((box.stages[0] || {}).key || "")}`);
    show(stages, stageTable(pipeline, filter.value, redraw));
    show(links, linkTable(pipeline, redraw));
    choose();
  };
  const choose = () => {
    const key = decodeURIComponent(location.hash.split("/")[3] || "");
    const row = key && document.getElementById(`stage-${key}`);
    if (row) row.classList.add("chosen");
    return row;
  };
  const stop = () => control(notice, async () => {
    const how = await ask(`Stop ${pipeline.status.name}?`, element("p", {}, "Draining ends the sources and lets come out what is inside. Stopping at once gives up what is inside."),
      [["Drain", "drain", "primary"], ["Stop at once", "now", "danger"]]);
    if (!how) return;
    await post("/api/stop", {pid, now: how === "now" ? 1 : 0});
    show(notice, element("p", {class: "notice good"}, how === "now" ? "It was told to stop." : "It was told to drain."));
  });
  filter.addEventListener("input", redraw);
  const resized = new ResizeObserver(redraw);
  show(place, head, notice, element("h2", {}, "Graph"), stateKey(), graph, element("h2", {}, "Stages"), element("div", {class: "tools"}, element("label", {}, "Filter ", filter)), stages,
    element("h2", {}, "Links"), links);
  resized.observe(graph);
  return {
    title: "Pipeline",
    async update() {
      try {
        pipeline = await get("/api/pipeline", {pid});
      } catch (error) {
        if (error.status !== 404) throw error;
        show(head, element("h1", {}, pipeline ? `${pipeline.status.name} has ended` : `No pipeline runs as process ${pid}`),
          pipeline && pipeline.status.run > 0 && element("p", {class: "notice"}, element("a", {href: `#/run/${pipeline.status.run}`}, `What run ${pipeline.status.run} did`)));
        return;
      }
      const {status} = pipeline;
      const said = verdict(status);
      const limit = limitOf(status);
      show(head, element("h1", {}, status.name, " ", element("span", {class: "badge"}, status.state)),
        element("p", {class: "faint"}, `process ${status.pid}`, status.run > 0 && [", ", element("a", {href: `#/run/${status.run}`, "data-focus": "run"}, `run ${status.run}`)]),
        element("ul", {class: "verdict"}, said.map(({level, text}) => element("li", {class: level}, text)), limit && element("li", {class: "faint"}, limit)),
        totals(status),
        setup.control && element("div", {class: "tools"}, element("button", {type: "button", class: "danger", "data-focus": "stop", id: "stop", onclick: stop}, "Stop …")));
      redraw();
    },
    navigated() {
      document.querySelectorAll("tr.chosen").forEach((row) => row.classList.remove("chosen"));
      const row = choose();
      if (row) row.scrollIntoView({block: "center"});
    },
    close() {
      resized.disconnect();
    },
  };
}
