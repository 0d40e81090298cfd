// Keys. What is typed into a field stays there; with Control, Alt or Meta it is the browser's.

const HELP = [
  ["j / →", "next case"],
  ["k / ←", "previous case"],
  ["Enter", "open the case that has the focus"],
  ["1 … 5", "side by side, slider, blend, toggle, heat map"],
  ["Space (hold)", "the baseline, in toggle"],
  ["z", "one to one, or as large as there is room"],
  ["y, x, u", "accept, reject (and on to the next without a mark), undo"],
  ["f, n, p, a", "what fails its test, new, passed, all cases"],
  ["o", "the worst prompts first, or the order of the suite"],
  ["w", "all images together, the worst first"],
  ["/", "filter"],
  ["Esc", "back"],
  ["?", "this help"],
];

const FILTERS = { f: "s:fail", n: "s:new", p: "s:pass", a: "" };

const help = make("dialog", { id: "help", "aria-label": "keys and filter" },
  make("h2", {}, "Keys"),
  make("dl", {}, ...HELP.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)])),
  make("h2", {}, "Filter"),
  make("p", {}, "All words must match: ", make("code", {}, "s:fail"), " a status (error, changed, new, together, notjudged, pass, accepted, rejected) or what ",
    "comes of it (fail, inconclusive), ", make("code", {}, "is:pass"), " exactly a status, ", make("code", {}, "t:TEST"), " a test, ", make("code", {}, "seed:42"), "; other words are looked for in ids and ",
    "prompts. ", make("code", {}, "!"), " turns a word round, ", make("code", {}, "\"two words\""), " keeps words together."),
  button("Close", { class: "primary" }, () => help.close()));

function onKey(event) {
  const field = event.target.closest?.("input[type=search]");
  if (event.ctrlKey || event.altKey || event.metaKey || help.open) return;
  if (event.key === "Escape") {
    if (field) { field.blur(); if (state.open === null) stepFocus(0); } else closeCase();
    return;
  }
  if (field) {
    if (event.key === "Enter") { field.blur(); stepFocus(1); }
    return;
  }
  const sliding = event.target.type === "range";
  const step = (by) => (state.open === null ? stepFocus(by) : stepCase(by));
  const actions = {
    j: () => step(1), k: () => step(-1),
    ArrowRight: () => sliding || step(1), ArrowLeft: () => sliding || step(-1),
    "/": () => { closeCase(); $("#filter").focus(); $("#filter").select(); },
    "?": () => help.showModal(),
    z: zoom, u: undo,
    y: () => mark("accept"), x: () => mark("reject"),
    w: () => setOrder(state.order === "worst" ? "sheet" : "worst"),
    o: () => setOrder(state.order === "suite" ? "sheet" : "suite"),
    " ": () => (compare.stage?.dataset.mode === "toggle" && state.open !== null ? compare.flip("expected") : true),
  };
  const mode = MODES[Number(event.key) - 1];
  let used = true;
  if (mode) setMode(mode);
  else if (event.key in FILTERS) { closeCase(); setQuery(FILTERS[event.key]); }
  else if (Object.hasOwn(actions, event.key)) used = actions[event.key]() !== true;
  else used = false;
  if (used) event.preventDefault();
}

function onKeyUp(event) {
  if (event.key === " " && state.open !== null && compare.stage?.dataset.mode === "toggle") {
    compare.flip("actual");
    event.preventDefault();
  }
}

