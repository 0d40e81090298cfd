// The images of all cases: in their sheets, the worst prompts or the suite's first, or all together with the worst first. The same
// elements move between them.

const worst = make("section", { id: "worst", "aria-label": "cases, the worst first" });

/** Cases that match, in the order they are shown. */
let shown = [];

/** As Rust wrote them: the worst first. */
const articles = $$("#sheets .test");
const rows = articles.map((article) => $$(".sheet tbody tr", article));

/** Puts tests and prompts into their order, and answers the cases in it. */
function arrange(order) {
  const by = (name) => (a, b) => Number(a.dataset[name]) - Number(b.dataset[name]);
  const sorted = (elements, name) => (order === "suite" ? [...elements].sort(by(name)) : elements);
  if (arrange.order !== order) {
    arrange.order = order;
    $("#sheets").append(...sorted(articles, "group"));
    articles.forEach((article, at) => $(".sheet tbody", article)?.append(...sorted(rows[at], "row")));
  }
  // an image that is shown elsewhere has its place still
  const place = new Map([...$$("#sheets td")].map((cell, at) => [cell, at]));
  return [...data.cases].sort((a, b) => place.get(a.home) - place.get(b.home));
}

function showSheets() {
  const words = parseFilter(state.query);
  const flat = state.order === "worst";
  const order = flat ? data.worst.map((index) => data.cases[index]) : arrange(state.order);
  shown = order.filter((one) => matches(one, words));
  for (const one of data.cases) one.thumb.hidden = true;
  for (const one of shown) one.thumb.hidden = false;
  for (const one of order) {
    const place = flat ? worst : one.home;
    if (one.thumb.parentElement !== place || flat) place.append(one.thumb);
    caption(one, flat);
  }
  // what has no image at all (a test that never ran) is hidden only where something is looked for
  for (const part of $$("#sheets .test, #sheets .sheet tbody tr")) part.hidden = words.length > 0 && !$(".thumb:not([hidden])", part);
  $("#sheets").hidden = flat;
  worst.hidden = !flat;
  $("#found").textContent = shown.length === data.cases.length ? count(shown.length, "case") : `${shown.length} of ${data.cases.length}`;
  $("#nothing").hidden = shown.length > 0 || data.cases.length === 0;
  for (const chip of $$("[data-filter]")) chip.setAttribute("aria-pressed", String(state.query === chip.dataset.filter));
  for (const choice of $$("[data-order]")) choice.setAttribute("aria-pressed", String(state.order === choice.dataset.order));
}

/** Outside of its sheet an image says which it is. */
function caption(one, flat) {
  const there = $(".which", one.thumb);
  if (!flat) return there?.remove();
  if (there) return;
  const prompt = data.prompts[one.prompt];
  one.thumb.append(make("span", { class: "which", dir: "auto" }, prompt.length > 80 ? `${prompt.slice(0, 80)}…` : prompt));
}

function setQuery(query) {
  state.query = query;
  if ($("#filter").value !== query) $("#filter").value = query;
  showSheets();
  writeAddress();
}

function setOrder(order) {
  state.order = order;
  showSheets();
  writeAddress();
}

/** Moves the focus among the images that are shown. */
function stepFocus(by) {
  const at = shown.findIndex((one) => one.thumb === document.activeElement);
  const next = shown[Math.min(Math.max(at + by, 0), shown.length - 1)];
  next?.thumb.focus();
  next?.thumb.scrollIntoView({ block: "nearest" });
}

