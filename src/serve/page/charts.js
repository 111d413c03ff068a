// Lines over time.
import {element} from "./dom.js";
import {span} from "./format.js";

const kHeight = 210;
const kMargin = {left: 58, right: 10, top: 8, bottom: 24};

export function colour(at) {
  const hues = [217, 28, 152, 350, 265, 190, 50, 310, 95, 10];
  const lightness = matchMedia("(prefers-color-scheme: dark)").matches ? 66 : 42;
  return `hsl(${hues[at % hues.length]},${at < 10 ? 70 : 45}%,${lightness - (at >= 20 ? 12 : 0)}%)`;
}

/** Marks on a time axis that people like. */
function timeTicks(d3, from, to, most) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const step = steps.find((one) => (to - from) / one <= most) || d3.tickStep(from, to, most);
  return d3.range(Math.ceil(from / step) * step, to + step / 1000, step);
}

/**
 * A chart of `series`: {name, colour, x: [], y: []}. `options`: {title, format(y), from, to, top, events: [{seconds, text}],
 * zoom(from, to)}. Dragging over it, or + and - on the keyboard, zooms; the arrow keys move a cursor that tells values.
 */
export function lineChart(series, options) {
  const d3 = window.d3;
  const output = element("output", {});
  const figure = element("figure", {}, element("figcaption", {}, options.title, output));
  if (!d3) {
    figure.append(element("p", {class: "faint"}, "d3 is not installed; the table has the figures."));
    return figure;
  }
  const holder = element("div", {class: "chart", tabindex: 0, role: "img", "data-focus": `chart-${options.title}-${options.focus || ""}`,
    "aria-label": `${options.title} over time; the arrow keys read values, + and - zoom`});
  figure.append(holder);
  // Drawn once its width is known.
  new ResizeObserver(() => {
    draw(d3, holder, output, series, options);
    performance.clearMarks("charts");
    performance.mark("charts");
  }).observe(holder);
  return figure;
}

function draw(d3, holder, output, series, options) {
  const width = Math.max(holder.clientWidth, 240);
  if (holder.drawnWidth === width) return;
  holder.drawnWidth = width;
  holder.replaceChildren();
  const from = options.from;
  const to = Math.max(options.to, from + 1);
  const top = options.top || d3.max(series, (one) => d3.max(one.y.filter(Number.isFinite))) || 1;
  const x = d3.scaleLinear().domain([from, to]).range([kMargin.left, width - kMargin.right]);
  const y = d3.scaleLinear().domain([0, top]).nice(4).range([kHeight - kMargin.bottom, kMargin.top]);
  const svg = d3.select(holder).append("svg").attr("width", width).attr("height", kHeight).attr("viewBox", `0 0 ${width} ${kHeight}`);
  svg.append("g").attr("class", "grid").attr("transform", `translate(${kMargin.left},0)`)
    .call(d3.axisLeft(y).ticks(4).tickSize(-(width - kMargin.left - kMargin.right)).tickFormat(""));
  svg.append("g").attr("class", "axis").attr("transform", `translate(${kMargin.left},0)`).call(d3.axisLeft(y).ticks(4).tickFormat(options.format));
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${kHeight - kMargin.bottom})`)
    .call(d3.axisBottom(x).tickValues(timeTicks(d3, from, to, width / 90)).tickFormat((s) => (s === 0 ? "0" : span(s))));
  const events = (options.events || []).filter((event) => event.seconds >= from && event.seconds <= to).slice(-200);
  svg.append("g").selectAll("line").data(events).enter().append("line").attr("class", "event")
    .attr("x1", (event) => x(event.seconds)).attr("x2", (event) => x(event.seconds)).attr("y1", kMargin.top).attr("y2", kHeight - kMargin.bottom)
    .append("title").text((event) => event.text);
  const line = d3.line().defined(Number.isFinite);
  const paths = svg.append("g").selectAll("path").data(series).enter().append("path").attr("class", "line").style("stroke", (one) => one.colour)
    .attr("d", (one) => line.x((_, i) => x(one.x[i])).y((value) => y(value))(one.y));
  const cursor = svg.append("line").attr("class", "cursor").attr("y1", kMargin.top).attr("y2", kHeight - kMargin.bottom).attr("visibility", "hidden");
  let at = null;
  const read = (seconds, pointer) => {
    at = Math.max(from, Math.min(to, seconds));
    cursor.attr("visibility", "visible").attr("x1", x(at)).attr("x2", x(at));
    const values = series.map((one) => {
      const i = Math.max(0, d3.bisectRight(one.x, at) - 1);
      return {one, value: one.y[i]};
    }).filter((entry) => Number.isFinite(entry.value));
    const near = pointer === null ? null : d3.scan(values, (a, b) => Math.abs(y(a.value) - pointer) - Math.abs(y(b.value) - pointer));
    const nearest = near === null || near === undefined ? null : values[near];
    paths.classed("near", (one) => nearest !== null && one === nearest.one);
    const shown = nearest ? [nearest] : values.slice(0, 4);
    output.textContent = `${span(at) || "0 s"}: ${shown.map(({one, value}) => `${one.name} ${options.format(value)}`).join(", ")}`;
  };
  const leave = () => {
    cursor.attr("visibility", "hidden");
    paths.classed("near", false);
    output.textContent = "";
  };
  if (options.zoom) {
    const brush = d3.brushX().extent([[kMargin.left, kMargin.top], [width - kMargin.right, kHeight - kMargin.bottom]]).on("end", () => {
      const chosen = d3.event.selection;
      if (chosen && chosen[1] - chosen[0] > 4) options.zoom(x.invert(chosen[0]), x.invert(chosen[1]));
    });
    svg.append("g").call(brush);
  }
  svg.on("mousemove", () => {
    const [px, py] = d3.mouse(svg.node());
    read(x.invert(px), py);
  }).on("mouseleave", leave);
  holder.onblur = leave;
  holder.onkeydown = (event) => {
    const step = (to - from) / 50;
    const centre = at === null ? (from + to) / 2 : at;
    if (event.key === "ArrowLeft") read(centre - step, null);
    else if (event.key === "ArrowRight") read(centre + step, null);
    else if (event.key === "+" && options.zoom) options.zoom(Math.max(0, centre - (to - from) / 4), centre + (to - from) / 4);
    else if (event.key === "-" && options.zoom) options.zoom(Math.max(0, centre - (to - from)), centre + (to - from));
    else return;
    event.preventDefault();
  };
}
