// Numbers, times and names for people.

export function count(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US").replaceAll(",", "\u202f");
}

/** 1.25 k, three digits. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const [factor, unit] = [[1e9, " G"], [1e6, " M"], [1e3, " k"]].find(([limit]) => Math.abs(value) >= limit * 0.9995) || [1, ""];
  const scaled = value / factor;
  const text = Number.isInteger(scaled) && Math.abs(scaled) < 1000 ? String(scaled) : scaled.toPrecision(3);
  return text + unit;
}

export function rate(value) {
  return value > 0 ? `${short(value)}/s` : "–";
}

export function time(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds === 0) return "0 s";
  const size = Math.abs(seconds);
  if (size < 0.9995e-6) return `${(seconds * 1e9).toPrecision(3)} ns`;
  if (size < 0.9995e-3) return `${(seconds * 1e6).toPrecision(3)} µs`;
  if (size < 0.9995) return `${(seconds * 1e3).toPrecision(3)} ms`;
  if (size < 100) return `${seconds.toPrecision(3)} s`;
  return span(seconds);
}

/** 2 h 5 min */
export function span(seconds) {
  const whole = Math.round(seconds);
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([unit]) => whole >= unit);
  if (first < 0) return time(seconds);
  let rest = whole;
  return parts.slice(first, first + 2).map(([unit, name]) => {
    const n = Math.floor(rest / unit);
    rest -= n * unit;
    return n > 0 ? `${n} ${name}` : "";
  }).filter(Boolean).join(" ");
}

export function percent(share) {
  return share === null || share === undefined || !Number.isFinite(share) ? "–" : `${(100 * share).toFixed(share < 0.0995 && share > 0 ? 1 : 0)} %`;
}

export function size(bytes) {
  const [factor, unit] = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]].find(([limit]) => bytes >= limit) || [1, bytes === 1 ? "byte" : "bytes"];
  const scaled = bytes / factor;
  return `${factor === 1 ? bytes : scaled >= 100 ? scaled.toFixed(0) : scaled.toPrecision(3)} ${unit}`;
}

export function date(unixTime) {
  const two = (n) => String(n).padStart(2, "0");
  const d = new Date(unixTime * 1000);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** "Enhance.Resize" for "MainPipeline__Enhance__Resize", also inside a sentence. */
export function shortKey(key) {
  return key.replace(/\bMainPipeline__/g, "").replace(/([A-Za-z0-9_#]*?[A-Za-z0-9#])__(?=[A-Za-z0-9])/g, "$1.");
}

export function plural(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}
