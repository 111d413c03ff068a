// Elements from data. Data only ever becomes text nodes and attributes of a few known names, never markup.

/** element("a", {href: "#/", class: "card"}, "text", child, [children]) */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "width%") made.style.width = `${value}%`;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

/** A list of names and values. `pairs`: [["name", "value"], …] */
export function figures(pairs) {
  return element("dl", {class: "figures"}, pairs.filter(Boolean).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

export function facts(pairs) {
  return element("dl", {class: "facts"}, pairs.filter(Boolean).map(([name, value]) =>
    [element("dt", {}, name), element("dd", {}, value)]));
}

/** Waiting, working and blocked as parts of one bar. */
export function stateBar(waiting, working, blocked) {
  const percent = (share) => Math.max(0, Math.min(100, 100 * (share || 0)));
  const text = `waiting ${percent(waiting).toFixed(0)} %, working ${percent(working).toFixed(0)} %, blocked ${percent(blocked).toFixed(0)} %`;
  return element("div", {class: "bar", role: "img", "aria-label": text, title: text},
    [["waiting", waiting], ["working", working], ["blocked", blocked]].map(([name, share]) =>
      element("i", {class: name, "width%": percent(share)})));
}

export function stateKey() {
  return element("p", {class: "key"}, ["waiting", "working", "blocked"].map((name) =>
    element("span", {}, element("i", {class: name}),
      {waiting: "waits for input", working: "works", blocked: "blocked by the next stage"}[name])));
}

/**
 * A table whose columns sort. `columns`: {title, value(row), show(row) (text or element; default: the value), left, head, none(row)};
 * `options`: {id, rowAttributes(row), sort: {column, down}, label}. The order that was chosen stays over updates.
 */
const chosenOrders = new Map();
export function table(columns, rows, options = {}) {
  const order = chosenOrders.get(options.id) || options.sort;
  const sorted = order ? [...rows].sort((a, b) => {
    const [x, y] = [a, b].map((row) => columns[order.column].value(row));
    const less = typeof x === "string" ? String(x).localeCompare(String(y), undefined, {numeric: true}) : (x ?? -Infinity) - (y ?? -Infinity);
    return order.down ? -less : less;
  }) : rows;
  const body = element("tbody", {}, sorted.map((row) => element("tr", options.rowAttributes ? options.rowAttributes(row) : {},
    columns.map((column) => element("td", {
      class: [column.left && "left", column.wrap && "wrap", column.head && "head", column.choose && "choose", column.none && column.none(row) && "none"].filter(Boolean).join(" ") || null,
      "data-label": column.title,
    }, column.show ? column.show(row) : column.value(row) ?? "–")))));
  const head = element("thead", {}, element("tr", {}, columns.map((column, at) => {
    const now = order && order.column === at;
    return element("th", {scope: "col", class: [column.left && "left", column.choose && "choose"].filter(Boolean).join(" ") || null,
      "aria-sort": now ? (order.down ? "descending" : "ascending") : null},
    column.value && options.id ? element("button", {type: "button", "data-focus": `${options.id}-${at}`, onclick: () => {
      chosenOrders.set(options.id, {column: at, down: now ? !order.down : !column.left});
      if (options.changed) options.changed();
    }}, column.title) : column.title);
  })));
  return element("div", {class: "scroll"}, element("table", {class: "stack", "aria-label": options.label}, head, body));
}

/** Replaces what is in `place`, and keeps the focus on what has the same data-focus. */
export function show(place, ...children) {
  const focused = document.activeElement && place.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  place.replaceChildren(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  if (focused) {
    const again = [...place.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focused);
    if (again) again.focus({preventScroll: true});
  }
}

/** A question with buttons; resolves to the value of the chosen one, or null. `buttons`: [["Stop", "stop", "danger"], …] */
export function ask(title, content, buttons) {
  return new Promise((resolve) => {
    const dialog = element("dialog", {"aria-labelledby": "ask-title"},
      element("form", {method: "dialog"},
        element("h2", {id: "ask-title"}, title), content,
        element("div", {class: "tools"}, buttons.map(([text, value, look]) => element("button", {value, class: look || null}, text)),
          element("button", {value: ""}, "Cancel"))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || null);
    });
    document.body.append(dialog);
    dialog.returnValue = "";
    dialog.showModal();
  });
}
