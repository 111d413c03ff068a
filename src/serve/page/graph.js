// The processes of a pipeline as boxes, the links between them as arrows. Layers wrap like words of a text, so that a
// hundred stages fit into any width; on a phone the layers stand below one another.
import {percent, rate, shortKey, time} from "./format.js";

const kBox = {width: 176, height: 82};
const kGap = {x: 54, y: 14, row: 34};
const kSide = 22;  // room for arrows that come from the row above
const kNarrow = 640;

/** Boxes and arrows of a status as /api/pipeline gives it. */
export function graphOf(status) {
  const boxes = status.workers.map((worker, at) => ({
    at, name: worker.name, title: shortKey(worker.name), worker, stages: [], inputs: [],
  }));
  const byName = new Map(boxes.map((box) => [box.name, box]));
  for (const stage of status.stages) {
    const box = byName.get(stage.worker);
    if (box) box.stages.push(stage);
  }
  const arrows = [];
  for (const link of status.links) {
    for (const consumer of link.consumers) {
      const from = byName.get(link.producer);
      const to = byName.get(consumer);
      if (from && to) {
        arrows.push({id: `${link.name}>${consumer}`, from, to, link});
        to.inputs.push(link);
      }
    }
  }
  setLayers(boxes, arrows);
  return {boxes, arrows};
}

/** How far from the entrance each box is. A worker that gets back what it gave (a serial pipeline around a parallel one)
 * closes a circle; such an arrow goes back and does not count. */
function setLayers(boxes, arrows) {
  const next = new Map(boxes.map((box) => [box, []]));
  const indegree = new Map(boxes.map((box) => [box, 0]));
  const state = new Map();
  for (const arrow of arrows) next.get(arrow.from).push(arrow);
  const visit = (start) => {
    const stack = [{box: start, at: 0}];
    state.set(start, 1);
    while (stack.length) {
      const top = stack[stack.length - 1];
      const out = next.get(top.box);
      if (top.at === out.length) {
        state.set(top.box, 2);
        stack.pop();
        continue;
      }
      const arrow = out[top.at++];
      arrow.back = state.get(arrow.to) === 1;
      if (!state.has(arrow.to)) {
        state.set(arrow.to, 1);
        stack.push({box: arrow.to, at: 0});
      }
    }
  };
  const entrances = boxes.filter((box) => !arrows.some((arrow) => arrow.to === box));
  [...entrances, ...boxes].forEach((box) => state.has(box) || visit(box));
  // What follows such a circle stands behind all of it.
  for (const back of arrows.filter((arrow) => arrow.back)) {
    const circle = new Set(reachable(back.to, next).filter((box) => reachable(box, next).includes(back.from)));
    for (const arrow of next.get(back.to).filter((one) => !one.back && !circle.has(one.to))) next.get(back.from).push({from: back.from, to: arrow.to});
  }
  for (const out of next.values()) for (const arrow of out) if (!arrow.back) indegree.set(arrow.to, indegree.get(arrow.to) + 1);
  const ready = boxes.filter((box) => indegree.get(box) === 0);
  for (const box of boxes) box.layer = 0;
  while (ready.length) {
    const box = ready.shift();
    for (const arrow of next.get(box)) {
      if (arrow.back) continue;
      arrow.to.layer = Math.max(arrow.to.layer, box.layer + 1);
      indegree.set(arrow.to, indegree.get(arrow.to) - 1);
      if (indegree.get(arrow.to) === 0) ready.push(arrow.to);
    }
  }
}

/** `start` and all boxes that come behind it. */
function reachable(start, next) {
  const found = [start];
  for (const box of found) for (const arrow of next.get(box)) if (!arrow.back && !found.includes(arrow.to)) found.push(arrow.to);
  return found;
}

function place(boxes, width) {
  const layers = [];
  for (const box of boxes) (layers[box.layer] = layers[box.layer] || []).push(box);
  const narrow = width < kNarrow;
  const perRow = narrow ? 1 : Math.max(1, Math.floor((width + kGap.x - 2 * kSide) / (kBox.width + kGap.x)));
  let y = 8;
  for (let first = 0; first < layers.length; first += perRow) {
    const row = layers.slice(first, first + perRow);
    const most = Math.max(...row.map((layer) => layer.length));
    const height = most * kBox.height + (most - 1) * kGap.y;
    row.forEach((layer, column) => {
      const own = layer.length * kBox.height + (layer.length - 1) * kGap.y;
      layer.forEach((box, at) => {
        box.width = narrow ? width - 36 : kBox.width;
        box.x = narrow ? 28 : kSide + column * (kBox.width + kGap.x);
        box.y = y + (height - own) / 2 + at * (kBox.height + kGap.y);
        box.row = first / perRow;
      });
    });
    y += height + kGap.row;
  }
  return {height: y - kGap.row + 10 + (narrow ? 0 : kGap.row / 2), narrow};  // an arrow back goes below the last row
}

function arrowPath(arrow, narrow) {
  const {from, to} = arrow;
  if (narrow) {
    const x = 28;
    const y1 = from.y + kBox.height - 14;
    const y2 = to.y + 18;
    const out = 10 + 3 * (arrow.lane || 0);
    return `M${x},${y1} C${x - 2 * out},${y1} ${x - 2 * out},${y2} ${x - 3},${y2}`;
  }
  const [x1, y1, x2, y2] = [from.x + from.width, from.y + kBox.height / 2, to.x - 3, to.y + kBox.height / 2];
  if (to.row === from.row && x2 > x1) {
    const middle = (x1 + x2) / 2;
    return `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`;
  }
  // To the row below (or back): between the rows.
  const lane = to.row > from.row ? to.y - kGap.row / 2 - (to.y % 3) : Math.max(from.y, to.y) + kBox.height + kGap.row / 2;
  const side = 16;
  return `M${x1},${y1} C${x1 + side},${y1} ${x1 + side},${lane} ${x1},${lane} L${x2 + 3},${lane} C${x2 - side},${lane} ${x2 - side},${y2} ${x2},${y2}`;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
/** From pale to red with the share of time that a worker works. */
function heat(share) {
  const s = Math.max(0, Math.min(1, share || 0));
  return dark.matches ? `hsl(${48 - 44 * s},${25 + 45 * s}%,${17 + 17 * s}%)` : `hsl(${48 - 44 * s},90%,${94 - 30 * s}%)`;
}

/** At most so many letters; of a name the end stays, which tells it from its neighbours. */
function cut(text, width, letter, end) {
  const most = Math.max(4, Math.floor((width - 18) / letter));
  return text.length <= most ? text : end ? `…${text.slice(text.length - most + 1)}` : `${text.slice(0, most - 1)}…`;
}

function lines(box) {
  const last = box.stages[box.stages.length - 1];
  const fill = Math.max(0, ...box.inputs.map((link) => link.fill));
  const queueing = Math.max(0, ...box.stages.map((stage) => stage.queueing_s || 0));
  const dead = box.worker.pid === 0;
  const stalled = last && last.in_work_s > 2 ? `${last.in_work} for ${time(last.in_work_s)}` : null;
  return [
    last ? `${rate(last.items_per_s)}  p99 ${last.p99_s > 0 ? time(last.p99_s) : "–"}` : "passes items on",
    box.inputs.length ? `queue ${percent(fill)}${queueing > 0 ? `, ${time(queueing)}` : ""}` : "source",
    dead ? "not running" : stalled || box.worker.state,
  ];
}

function marks(box) {
  const letters = box.stages.reduce((sum, stage) => sum + (stage.letters || 0), 0);
  return [box.worker.restarts > 0 ? `↻${box.worker.restarts}` : "", letters > 0 ? `✉${letters}` : ""].filter(Boolean).join(" ");
}

function describe(box) {
  const last = box.stages[box.stages.length - 1] || {};
  return `${box.title}: ${lines(box).join(", ")}; works ${percent(last.working)} of the time, ${box.worker.restarts} restarts${last.bottleneck ? "; limits the pipeline" : ""}`;
}

/** Draws into `svg`, or changes what is drawn there. `target(box)`: the address behind a box. */
export function drawGraph(svg, status, target) {
  const d3 = window.d3;
  if (!d3) return;
  const width = Math.max(svg.parentElement.clientWidth, 280);
  const {boxes, arrows} = graphOf(status);
  const {height, narrow} = place(boxes, width);
  const lanes = new Map();
  for (const arrow of arrows) {
    arrow.lane = (lanes.get(arrow.from) || 0) % 4;
    lanes.set(arrow.from, arrow.lane + 1);
  }
  const root = d3.select(svg).attr("width", width).attr("height", height).attr("viewBox", `0 0 ${width} ${height}`);
  if (root.select("defs").empty()) {
    root.append("defs").append("marker").attr("id", "arrow").attr("viewBox", "0 0 8 8").attr("refX", 6).attr("refY", 4)
      .attr("markerWidth", 8).attr("markerHeight", 8).attr("markerUnits", "userSpaceOnUse").attr("orient", "auto")
      .append("path").attr("d", "M0,0 L8,4 L0,8 z").attr("class", "arrow");
    root.append("g").attr("class", "links");
    root.append("g").attr("class", "boxes");
  }
  const link = root.select("g.links").selectAll("path").data(arrows, (arrow) => arrow.id);
  link.exit().remove();
  const linkNow = link.enter().append("path").attr("marker-end", "url(#arrow)").merge(link);
  linkNow.select("title").remove();
  linkNow.attr("d", (arrow) => arrowPath(arrow, narrow))
    .attr("class", (arrow) => `link${arrow.link.fill > 0.9 ? " full" : ""}`)
    .attr("stroke-width", (arrow) => 1.4 + 3 * Math.max(0, Math.min(1, arrow.link.fill)))
    .append("title").text((arrow) => `${shortKey(arrow.link.name)}: ${arrow.link.items} items inside, ${percent(arrow.link.fill)} full`);

  const box = root.select("g.boxes").selectAll("a").data(boxes, (one) => one.name);
  box.exit().remove();
  const made = box.enter().append("a");
  made.append("title");
  made.append("rect").attr("class", "box").attr("rx", 7);
  made.append("text").attr("class", "title").attr("x", 9).attr("y", 19);
  made.append("text").attr("class", "mark").attr("y", 19).attr("text-anchor", "end");
  for (let line = 0; line < 3; ++line) made.append("text").attr("class", `line${line}`).attr("x", 9).attr("y", 36 + 15 * line);
  made.append("rect").attr("class", "track").attr("x", 8).attr("y", kBox.height - 10).attr("height", 7).attr("rx", 2);
  for (const part of ["waiting", "working", "blocked"]) made.append("rect").attr("class", part).attr("height", 5).attr("y", kBox.height - 9);
  const now = made.merge(box);
  now.attr("href", target).attr("aria-label", describe)
    .attr("class", (one) => [one.stages.some((stage) => stage.bottleneck) && "hot", one.worker.pid === 0 && "dead"].filter(Boolean).join(" "))
    .attr("transform", (one) => `translate(${one.x},${one.y})`);
  now.select("title").text(describe);
  now.select("rect.box").attr("width", (one) => one.width).attr("height", kBox.height).style("fill", (one) => heat((one.stages[0] || {}).working));
  now.select("text.title").text((one) => cut(one.title, one.width - (marks(one) ? 8 * marks(one).length + 10 : 0), 8, true));
  now.select("text.mark").attr("x", (one) => one.width - 9).text(marks);
  for (let line = 0; line < 3; ++line) now.select(`text.line${line}`).text((one) => cut(lines(one)[line], one.width, 6.6, false));
  const share = (one, part) => Math.max(0, Math.min(1, (one.stages[0] || {})[part] || 0)) * (one.width - 18);
  now.select("rect.track").attr("width", (one) => one.width - 16);
  now.select("rect.waiting").attr("x", 9).attr("width", (one) => share(one, "waiting"));
  now.select("rect.working").attr("x", (one) => 9 + share(one, "waiting")).attr("width", (one) => share(one, "working"));
  now.select("rect.blocked").attr("x", (one) => 9 + share(one, "waiting") + share(one, "working")).attr("width", (one) => share(one, "blocked"));
}
