// Questions to the server. The token comes in the address once and stays in this tab.

const kToken = "pystream-token";

export function takeToken() {
  const found = /^#token=([0-9a-f]+)$/.exec(location.hash);
  if (found) {
    sessionStorage.setItem(kToken, found[1]);
    history.replaceState(null, "", location.pathname + "#/");
  }
}
export function token() {
  return sessionStorage.getItem(kToken) || "";
}
export function setToken(text) {
  sessionStorage.setItem(kToken, text.trim());
}

/** `status`: 0 where there is no connection. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function request(method, path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null));
  const headers = token() ? {Authorization: `Bearer ${token()}`} : {};
  let answer = null;
  try {
    answer = await fetch(query.toString() ? `${path}?${query}` : path, {method, headers, cache: "no-store"});
  } catch {
    throw new Refused(0, "no connection to the server");
  }
  if (!answer.ok) {
    const text = await answer.text();
    let why = text;
    try {
      why = JSON.parse(text).error;
    } catch { /* no JSON: as it is */ }
    throw new Refused(answer.status, why || `status ${answer.status}`);
  }
  return answer;
}

export async function get(path, parameters = {}) {
  return (await request("GET", path, parameters)).json();
}
export async function getBytes(path, parameters = {}) {
  return (await request("GET", path, parameters)).blob();
}
export async function post(path, parameters = {}) {
  return (await request("POST", path, parameters)).json();
}
