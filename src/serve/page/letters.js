// Dead letters: for whoever has to decide what becomes of items that failed. Why, with which bytes, and again?
import {get, getBytes, post} from "./api.js";
import {ask, element, facts, show, table} from "./dom.js";
import {count, date, plural, shortKey, size} from "./format.js";
import {control} from "./pipeline.js";

const kBytesInLine = 16;
const kMostLetters = 1000;  // as the server gives them

function bytesOf(hex) {
  return Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
}

function hexDump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += kBytesInLine) {
    const line = [...bytes.slice(at, at + kBytesInLine)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(3 * kBytesInLine - 1);
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex}  ${line.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("")}`);
  }
  return lines.join("\n");
}

/** Text if it is some, with control characters made visible; null: it is none. */
function textOf(bytes, cut) {
  try {
    const text = new TextDecoder("utf-8", {fatal: true}).decode(bytes, {stream: cut});
    return /[\u0000-\u0008\u000e-\u001f]/.test(text) ? null : text.replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  } catch {
    return null;
  }
}

async function download(notice, id) {
  let bytes = null;
  try {
    bytes = await getBytes("/api/letter/bytes", {id});
  } catch (error) {
    show(notice, element("p", {class: "notice bad"}, error.message));
    return;
  }
  const address = URL.createObjectURL(bytes);
  element("a", {href: address, download: `letter-${id}.bin`}).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Asks, replays, and tells in `notice` what became of it. */
function replay(notice, letters, done) {
  return control(notice, async () => {
    const remove = element("input", {type: "checkbox", id: "remove"});
    const stages = [...new Set(letters.map((letter) => shortKey(letter.stage)))];
    if (!await ask(`Replay ${plural(letters.length, "letter")}?`, element("div", {},
      element("p", {}, `The items go once more through ${stages.join(", ")} and what follows, with the plan of run ${letters[0].run}. Files are written to new places in the folder “replays” beside the profile database.`),
      element("p", {}, element("label", {}, remove, " Delete the letters if all of them come through"))), [["Replay", "replay", "primary"]])) return;
    const started = await post("/api/replay", {letters: letters.map((letter) => letter.letter).join(","), remove: remove.checked ? 1 : 0});
    show(notice, element("p", {class: "notice"}, "The replay runs …"));
    for (;;) {
      await new Promise((wake) => setTimeout(wake, 300));
      const now = (await get("/api/replays")).find((one) => one.replay === started.replay);
      if (!now) throw new Error("the server has forgotten the replay");
      if (now.running) continue;
      show(notice, element("div", {class: `notice ${now.code === 0 ? "good" : "bad"}`, id: "replayed"}, element("strong", {}, now.code === 0 ? "The replay went through." : `The replay ended with code ${now.code}.`),
        element("pre", {class: "wrapped"}, now.said)));
      break;
    }
    if (done) done();
  });
}

export function lettersScreen(place, run, setup) {
  const notice = element("div", {role: "status"});
  const list = element("div", {});
  const chosen = new Set();
  let letters = [];
  const redraw = () => {
    const columns = [
      setup.control && {title: "choose", choose: true, show: ({letter}) => element("input", {type: "checkbox", checked: chosen.has(letter), "aria-label": `Choose letter ${letter}`, "data-focus": `choose-${letter}`,
        onchange: (event) => {
          event.target.checked ? chosen.add(letter) : chosen.delete(letter);
          redraw();
        }})},
      {title: "letter", left: true, head: true, value: ({letter}) => letter, show: ({letter}) => element("a", {href: `#/letter/${letter}`, "data-focus": `letter-${letter}`}, String(letter))},
      {title: "time", left: true, value: ({time: at}) => at, show: ({time: at}) => date(at)},
      {title: "run", value: (letter) => letter.run, show: (letter) => element("a", {href: `#/run/${letter.run}`, "data-focus": `of-${letter.letter}`}, String(letter.run))},
      {title: "stage", left: true, value: ({stage}) => shortKey(stage)},
      {title: "item", value: ({item}) => item, show: ({item}) => count(item)},
      {title: "attempts", value: ({attempts}) => attempts, show: ({attempts}) => count(attempts)},
      {title: "size", value: (letter) => letter.size, show: (letter) => size(letter.size)},
      {title: "reason", left: true, wrap: true, value: ({reason}) => reason, show: ({reason}) => shortKey(reason)},
    ].filter(Boolean);
    const picked = letters.filter(({letter}) => chosen.has(letter));
    const all = picked.length > 0 && picked.length === letters.length;
    show(list, letters.length === 0 ? element("p", {class: "faint"}, "There are none.") : [
      setup.control && element("div", {class: "tools"},
        element("button", {type: "button", "data-focus": "all", onclick: () => {
          all ? chosen.clear() : letters.forEach(({letter}) => chosen.add(letter));
          redraw();
        }}, all ? "Choose none" : "Choose all"),
        element("button", {type: "button", class: "primary", disabled: picked.length === 0 || new Set(picked.map((letter) => letter.run)).size > 1, "data-focus": "replay",
          onclick: () => replay(notice, picked)}, picked.length && new Set(picked.map((letter) => letter.run)).size > 1 ? "Replay needs letters of one run" : `Replay ${picked.length || ""}`)),
      table(columns, letters, {id: "letters", changed: redraw, sort: {column: setup.control ? 1 : 0, down: true}, label: "Dead letters"}),
      letters.length >= kMostLetters && element("p", {class: "faint"}, `These are the newest ${count(kMostLetters)}; pystream-coord dead-letters list has all of them.`)]);
  };
  show(place, element("h1", {}, run ? `Dead letters of run ${run}` : "Dead letters"), run && element("p", {}, element("a", {href: "#/letters"}, "Those of all runs")), notice, list);
  return {
    title: "Dead letters",
    period: 3000,
    async update() {
      try {
        letters = await get("/api/letters", run ? {run} : {});
      } catch (error) {
        if (error.status !== 404) throw error;
        letters = [];
      }
      redraw();
    },
  };
}

export function letterScreen(place, id, setup) {
  const notice = element("div", {role: "status"});
  const content = element("div", {});
  let form = null;
  return {
    title: `Letter ${id}`,
    period: 0,
    async update() {
      const found = await get("/api/letter", {id});
      const letter = found.letter[0];
      const bytes = bytesOf(found.hex);
      const cut = bytes.length < letter.size;
      const text = textOf(bytes, cut);
      form = form || (text === null ? "hex" : "text");
      const redraw = () => show(content, element("h1", {}, `Letter ${id}: an item that ${shortKey(letter.stage)} gave up`),
        element("p", {}, element("strong", {}, "Reason: "), shortKey(letter.reason)),
        facts([["run", element("a", {href: `#/run/${letter.run}`, "data-focus": "run"}, String(letter.run))], ["time", date(letter.time)], ["stage", shortKey(letter.stage)],
          ["item", count(letter.item) + (letter.part > 0 ? `, part ${letter.part}` : "")], ["attempts", count(letter.attempts)], letter.signal !== 0 && ["signal", String(letter.signal)], ["size", size(letter.size)]]),
        element("div", {class: "tools"},
          setup.control && element("button", {type: "button", class: "primary", id: "replay", "data-focus": "replay", onclick: () => replay(notice, [letter])}, "Replay …"),
          element("button", {type: "button", "data-focus": "download", onclick: () => download(notice, id)}, "Download the bytes")),
        found.stack && [element("h2", {}, "Stack"), element("pre", {}, found.stack)],
        element("h2", {}, "Bytes"),
        element("div", {class: "tools"}, text !== null && ["text", "hex"].map((one) => element("button", {type: "button", "aria-pressed": String(form === one), "data-focus": `as-${one}`, onclick: () => {
          form = one;
          redraw();
        }}, `As ${one}`)), cut && element("span", {class: "faint"}, `the first ${size(bytes.length)}`)),
        element("pre", {tabindex: 0, class: form === "text" ? "wrapped" : null, id: "bytes", "aria-label": "Bytes of the item"}, form === "text" ? text : hexDump(bytes)));
      show(place, element("p", {}, element("a", {href: "#/letters"}, "All dead letters")), notice, content);
      redraw();
    },
  };
}
