// Which screen is shown, and when it asks again.
import {get, takeToken} from "./api.js";
import {element, show} from "./dom.js";
import {letterScreen, lettersScreen} from "./letters.js";
import {overview} from "./overview.js";
import {haveToken, pipelineScreen} from "./pipeline.js";
import {compareScreen, runScreen, runsScreen} from "./runs.js";

const content = document.getElementById("content");
const connection = document.getElementById("connection");
const setup = {control: false};
let screen = null;
let place = null;
let shownPath = null;
let timer = null;
let turn = 0;

function screenOf(path) {
  const [name, a, b] = path;
  const number = (text) => (/^\d+$/.test(text || "") ? Number(text) : null);
  const fresh = element("div", {});
  const found =
    name === "pipeline" && number(a) !== null ? ["overview", pipelineScreen(fresh, number(a), setup)] :
    name === "runs" ? ["runs", runsScreen(fresh)] :
    name === "run" && number(a) !== null ? ["runs", runScreen(fresh, number(a))] :
    name === "compare" && number(a) !== null && number(b) !== null ? ["runs", compareScreen(fresh, number(a), number(b))] :
    name === "letters" ? ["letters", lettersScreen(fresh, number(a), setup)] :
    name === "letter" && number(a) !== null ? ["letters", letterScreen(fresh, number(a), setup)] :
    ["overview", overview(fresh)];
  return {place: fresh, tab: found[0], screen: found[1]};
}

function say(text, lost) {
  if (connection.textContent !== text) connection.textContent = text;
  connection.classList.toggle("lost", lost);
}

async function update() {
  const mine = ++turn;
  clearTimeout(timer);
  try {
    await screen.update();
    if (mine !== turn) return;
    if (!content.contains(place)) show(content, place);  // after an error
    say("up to date", false);
  } catch (error) {
    if (mine !== turn) return;
    if (error.status === 401) {
      if (await haveToken()) return update();
    } else if (error.status !== 0) {
      if (error.status === undefined) console.error(error);  // a fault of this page
      show(content, element("h1", {}, "That did not work"), element("p", {class: "notice bad"}, error.message));
    }
    say(error.message, true);
  }
  const period = screen.period ?? 1000;
  if (period > 0) timer = setTimeout(update, document.hidden ? 10_000 : period);
}

function navigate(first) {
  const path = location.hash.replace(/^#\/?/, "").split("/");
  const key = path.slice(0, path[0] === "pipeline" ? 2 : 3).join("/");
  if (key === shownPath) {
    if (screen.navigated) screen.navigated();
    return;
  }
  shownPath = key;
  if (screen && screen.close) screen.close();
  const next = screenOf(path);
  screen = next.screen;
  place = next.place;
  document.title = `${screen.title} · pystream`;
  document.querySelectorAll("nav a").forEach((link) => link.toggleAttribute("aria-current", link.dataset.screen === next.tab));
  document.querySelectorAll("nav a[aria-current]").forEach((link) => link.setAttribute("aria-current", "page"));
  show(content, place);
  if (!first) {
    content.focus({preventScroll: true});
    scrollTo(0, 0);
  }
  update();
}

async function start() {
  takeToken();
  try {
    setup.control = (await get("/api/server")).control;
  } catch (error) {
    if (error.status === 401 && await haveToken()) return start();
  }
  addEventListener("hashchange", () => navigate(false));
  document.addEventListener("visibilitychange", () => !document.hidden && screen && screen.period !== 0 && update());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => screen && screen.period !== 0 && update());
  navigate(true);
}

start();
