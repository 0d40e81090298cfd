// Puts it together.

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  memory.set("difftest theme", theme ?? "");
}

function nextTheme() {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  setTheme(dark === "dark" ? "light" : "dark");
}

/** Shows what the address says. */
function follow() {
  const { query, order, open, mode } = readAddress();
  Object.assign(state, { query, order, mode });
  $("#filter").value = query;
  showSheets();
  if (open === null) closeCase({ push: false });
  else openCase(open, { push: false });
}

function start() {
  document.documentElement.classList.add("js");
  const theme = memory.get("difftest theme");
  if (theme === "light" || theme === "dark") setTheme(theme);
  const filter = make("input", {
    type: "search", id: "filter", placeholder: "Filter: s:fail t:test words !not", "aria-label": "filter cases", "aria-keyshortcuts": "/",
    spellcheck: "false", autocomplete: "off",
    oninput: () => setQuery(filter.value),
  });
  const labels = { sheet: ["Worst prompts", "o"], suite: ["As in the suite", "o"], worst: ["Worst images", "w"] };
  const orders = ORDERS.map((order) =>
    button(labels[order][0], { "data-order": order, title: `key ${labels[order][1]}` }, () => setOrder(order)));
  $("#tools").append(
    filter,
    make("span", { id: "found", role: "status" }),
    make("div", { role: "group", "aria-label": "order" }, ...orders),
    button("◐ Theme", { id: "theme", title: "light or dark" }, nextTheme),
    button("? Keys", { id: "keys", title: "key ?" }, () => help.showModal()),
  );
  $("#sheets").after(worst, make("p", { id: "nothing", hidden: true }, "No case matches the filter."));
  document.body.append(make("aside", { id: "tray", "aria-label": "approvals", hidden: true }), help);
  for (const chip of $$("[data-filter]")) {
    chip.disabled = false;
    chip.addEventListener("click", () => setQuery(state.query === chip.dataset.filter ? "" : chip.dataset.filter));
  }
  for (const one of data.cases) {
    one.thumb.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      openCase(one.index);
    });
  }
  for (const command of $$("pre.command")) {
    command.append(button("Copy", {}, (event) => copy($("code", command).textContent, $("code", command), event.target)));
  }
  compare.start();
  marks.load();
  addEventListener("keydown", onKey);
  addEventListener("keyup", onKeyUp);
  addEventListener("popstate", follow);
  addEventListener("hashchange", follow);
  follow();
}

start();
