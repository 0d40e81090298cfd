// What the page holds: the data block, and the elements that Rust wrote. Nothing below renders a case; it only shows and hides.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element: attributes by name, `on...` as listeners; text and nodes as children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** `1 case`, `2 cases`. */
const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

const button = (label, attributes, onclick) => make("button", { type: "button", ...attributes, onclick }, label);

data.cases.forEach((one, index) => {
  one.index = index;
  one.thumb = document.getElementById(`t${index}`);
  one.home = one.thumb.parentElement;
  one.page = document.getElementById(`c${index}`).parentElement;
  one.suite = data.tests[one.test].suite;
  one.verdict = data.tests[one.test].verdict;
  one.testName = `${one.suite}::${data.tests[one.test].name}`;
  one.text = `${one.id}\n${data.prompts[one.prompt]}`.toLowerCase();
});

/** Sheets with the worst prompts first; sheets as the suite has them; all images together, the worst first. */
const ORDERS = ["sheet", "suite", "worst"];

/** What is shown. Everything in it but `opener` stands in the address, so a link shows the same to others. */
const state = { query: "", order: "sheet", open: null, mode: "side", opener: null };

function writeAddress(push = false) {
  const parts = new URLSearchParams();
  if (state.query) parts.set("q", state.query);
  if (state.order !== "sheet") parts.set("order", state.order);
  if (state.open !== null) {
    parts.set("case", data.cases[state.open].id);
    if (state.mode !== "side") parts.set("mode", state.mode);
  }
  const address = `#${parts}`;
  if (address === (location.hash || "#")) return;
  history[push ? "pushState" : "replaceState"](null, "", address);
}

function readAddress() {
  const anchor = /^#[ct](\d+)$/.exec(location.hash);
  if (anchor && data.cases[anchor[1]]) return { query: "", order: "sheet", open: Number(anchor[1]), mode: "side" };
  const parts = new URLSearchParams(location.hash.slice(1));
  const open = data.cases.findIndex((one) => one.id === parts.get("case"));
  const known = (value, values) => (values.includes(value) ? value : values[0]);
  return {
    query: parts.get("q") ?? "",
    order: known(parts.get("order"), ORDERS),
    open: open < 0 ? null : open,
    mode: known(parts.get("mode"), MODES),
  };
}

/** Storage may be forbidden, as in a page opened from a file or a sandboxed frame: then nothing is remembered. */
const memory = {
  get(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  },
  set(key, value) {
    try { localStorage.setItem(key, value); } catch { /* nothing is remembered */ }
  },
};

