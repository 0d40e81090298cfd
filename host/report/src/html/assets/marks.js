// Accept and reject: marks that are kept in this browser and leave it as a file or as a command. Nothing is changed from here.

const marks = {
  key: `difftest marks ${data.run}`,
  by: new Map(),
  /** Indices in the order they were marked, with what was there before: for undo. */
  past: [],

  load() {
    let kept;
    try { kept = JSON.parse(memory.get(this.key) ?? "{}"); } catch { kept = {}; }
    for (const one of data.cases) {
      const mark = Object.hasOwn(kept, one.id) ? kept[one.id] : undefined;
      // a mark is of pixels: other pixels, no mark
      if (one.mark && mark?.image === one.image && ["accept", "reject"].includes(mark.decision)) this.by.set(one.index, mark.decision);
      this.show(one);
    }
    this.tray();
  },

  word(one) {
    return { accept: "accepted", reject: "rejected" }[this.by.get(one.index)] ?? "unmarked";
  },

  set(one, decision) {
    if (!one.mark) return;
    this.past.push([one, this.by.get(one.index)]);
    this.put(one, decision);
  },

  undo() {
    const last = this.past.pop();
    if (last) this.put(...last);
    return last?.[0];
  },

  put(one, decision) {
    if (decision) this.by.set(one.index, decision);
    else this.by.delete(one.index);
    const kept = {};
    for (const approval of this.approvals()) kept[approval.id] = { image: approval.image, decision: approval.decision };
    memory.set(this.key, JSON.stringify(kept));
    this.show(one);
    this.tray();
  },

  show(one) {
    const decision = this.by.get(one.index);
    for (const element of [one.thumb, one.page]) {
      if (decision) element.dataset.mark = decision;
      else delete element.dataset.mark;
    }
    let said = $(".mark", one.thumb);
    if (!decision) return said?.remove();
    if (!said) $(".said", one.thumb).append(" ", (said = make("em", { class: "mark" })));
    said.textContent = this.word(one);
  },

  approvals() {
    const sorted = [...this.by].sort(([a], [b]) => a - b);
    return sorted.map(([index, decision]) => ({ id: data.cases[index].id, image: data.cases[index].image, decision }));
  },

  /** The file that `difftest accept --from` reads: the digests say which pixels were seen. */
  file() {
    return `${JSON.stringify({ format: 1, report: data.run, approvals: this.approvals() }, null, 2)}\n`;
  },

  line(decision) {
    const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;
    const ids = this.approvals().filter((approval) => approval.decision === decision).map((approval) => quoted(approval.id));
    return ids.length ? `difftest ${decision} ${ids.join(" ")}` : "";
  },

  download() {
    const address = URL.createObjectURL(new Blob([this.file()], { type: "application/json" }));
    make("a", { href: address, download: "approvals.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  },

  tray() {
    const count = (decision) => [...this.by.values()].filter((value) => value === decision).length;
    const tray = $("#tray");
    tray.hidden = this.by.size === 0;
    const lines = ["accept", "reject"].map((decision) => this.line(decision)).filter(Boolean);
    const command = make("code", {}, lines.join("\n"));
    tray.replaceChildren(
      make("span", { role: "status" }, `${count("accept")} accepted, ${count("reject")} rejected`),
      button("Download approvals.json", { id: "download", class: "primary" }, () => this.download()),
      command,
      button("Copy", { id: "copy" }, (event) => copy(lines.join("\n"), command, event.target)),
    );
  },
};

/** Copies, or selects where a page may not copy. */
function copy(text, element, from) {
  const select = () => getSelection().selectAllChildren(element);
  const said = () => { from.textContent = "Copied"; setTimeout(() => { from.textContent = "Copy"; }, 1500); };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(said, select);
  else select();
}

