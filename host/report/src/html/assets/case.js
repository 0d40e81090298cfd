// One case at a time, over the sheets.

const bar = make("div", { class: "toolbar", role: "toolbar", "aria-label": "case" });

function openCase(index, { push = true } = {}) {
  const one = data.cases[index];
  if (state.open === null) state.opener = document.activeElement;
  else data.cases[state.open].page.open = false;
  state.open = index;
  document.body.dataset.view = "case";
  one.page.open = true;
  compare.open(one);
  $("article > header", one.page).append(bar);
  const mode = compare.has(state.mode) ? state.mode : "side";
  compare.show(mode);
  showBar(one, mode);
  $("#cases").scrollTop = 0;
  if (!bar.contains(document.activeElement)) $("[data-act=close]", bar).focus({ preventScroll: true });
  writeAddress(push);
}

function closeCase({ push = true } = {}) {
  if (state.open === null) return;
  const one = data.cases[state.open];
  one.page.open = false;
  state.open = null;
  delete document.body.dataset.view;
  (state.opener?.isConnected && state.opener !== document.body ? state.opener : one.thumb).focus({ preventScroll: true });
  one.thumb.scrollIntoView({ block: "nearest" });
  writeAddress(push);
}

/** The next case of those shown; from one that the filter hides, the first of them. */
function stepCase(by) {
  const at = shown.findIndex((one) => one.index === state.open);
  const next = shown[at < 0 ? 0 : at + by];
  if (next && next.index !== state.open) openCase(next.index, { push: false });
}

function setMode(mode) {
  if (state.open === null || !compare.has(mode)) return;
  state.mode = mode;
  compare.show(mode);
  showBar(data.cases[state.open], mode);
  writeAddress();
}

/** Marks the open case, or the image that has the focus, and goes on to the next that has no mark yet. */
function mark(decision) {
  const one = current();
  if (!one?.mark) return;
  marks.set(one, decision);
  const at = shown.indexOf(one);
  const next = [...shown.slice(at + 1), ...shown.slice(0, Math.max(at, 0))].find((other) => other.mark && !marks.by.has(other.index));
  if (state.open === null) next?.thumb.focus();
  else if (next) openCase(next.index, { push: false });
  else showBar(one, compare.stage.dataset.mode);
}

function current() {
  if (state.open !== null) return data.cases[state.open];
  return shown.find((one) => one.thumb === document.activeElement);
}

function showBar(one, mode) {
  const act = (label, name, key, onclick, more = {}) =>
    button(label, { "data-act": name, title: `key ${key}`, "aria-keyshortcuts": key, ...more }, onclick);
  const at = shown.indexOf(one);
  const focus = bar.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  const decision = marks.by.get(one.index);
  const pressed = (is) => ({ "aria-pressed": String(is) });
  const modes = MODES.map((name, index) =>
    act(LABELS[name], name, String(index + 1), () => setMode(name), { ...pressed(name === mode), disabled: !compare.has(name) }));
  const decide = [
    act("✓ Accept", "accept", "y", () => mark("accept"), pressed(decision === "accept")),
    act("✕ Reject", "reject", "x", () => mark("reject"), pressed(decision === "reject")),
    act("Undo", "undo", "u", undo, { disabled: marks.past.length === 0 }),
  ];
  const group = (label, ...buttons) => make("div", { role: "group", "aria-label": label }, ...buttons);
  bar.replaceChildren(
    group("cases", act("← Previous", "previous", "k", () => stepCase(-1), { disabled: at <= 0 }),
      make("span", { class: "faint" }, at < 0 ? "" : `${at + 1} of ${shown.length}`),
      act("Next →", "next", "j", () => stepCase(1), { disabled: at + 1 >= shown.length })),
    group("compare", ...modes, act("1:1", "zoom", "z", zoom, pressed(compare.zoomed))),
    one.mark ? group("decide", ...decide) : "",
    act("Close", "close", "Escape", () => closeCase()),
  );
  if (focus) ($(`[data-act=${focus}]:not(:disabled)`, bar) ?? $("[data-act=close]", bar)).focus({ preventScroll: true });
}

function zoom() {
  compare.zoom();
  if (state.open !== null) showBar(data.cases[state.open], compare.stage.dataset.mode);
}

function undo() {
  const one = marks.undo();
  if (!one) return;
  if (state.open === null) one.thumb.focus();
  else if (state.open !== one.index) openCase(one.index, { push: false });
  else showBar(one, compare.stage.dataset.mode);
}

