// Ways to look at an image beside its baseline. The figures lie in one element; its mode decides how the style sheet lays them out.

const MODES = ["side", "slider", "blend", "toggle", "heat"];
const LABELS = { side: "Side by side", slider: "Slider", blend: "Blend", toggle: "Toggle", heat: "Heat map" };

const compare = {
  stage: null,
  zoomed: false,
  range: make("input", { type: "range", id: "split", min: 0, max: 100, step: 0.5, value: 50, "aria-label": "how much of the image" }),

  start() {
    this.range.addEventListener("input", () => this.split());
    addEventListener("resize", () => this.fit());
  },

  /** Begins with the stage of a case; says which modes it has. */
  open(one) {
    this.stage = $(".stage", one.page);
    for (const link of $$(".borrowed", this.stage)) {
      const from = $("img", one.thumb);
      const image = make("img", { alt: from?.alt ?? "", src: from?.src ?? "" });
      link.replaceWith(image);
    }
    if (!this.stage.dataset.ready) {
      this.stage.dataset.ready = "yes";
      this.stage.addEventListener("pointerdown", (event) => this.drag(event));
      // an image must not be dragged away as a file
      this.stage.addEventListener("dragstart", (event) => event.preventDefault());
      this.stage.addEventListener("pointermove", (event) => event.buttons === 1 && this.drag(event));
      for (const figure of $$("figure", this.stage)) figure.addEventListener("scroll", () => this.together(figure));
      for (const image of $$("img", this.stage)) image.addEventListener("load", () => this.fit());
    }
    this.stage.after(this.range);
  },

  has(mode) {
    const image = (name) => $(`figure.${name} img`, this.stage);
    if (mode === "side") return true;
    if (mode === "heat") return Boolean(image("heatmap") || image("difference"));
    return Boolean(image("expected") && image("actual"));
  },

  show(mode) {
    this.stage.dataset.mode = mode;
    this.stage.dataset.show = "actual";
    this.range.hidden = !["slider", "blend"].includes(mode);
    this.split();
    this.fit();
  },

  split() {
    this.stage?.style.setProperty("--split", `${this.range.value}%`);
    this.stage?.style.setProperty("--part", String(this.range.value / 100));
  },

  drag(event) {
    if (this.stage.dataset.mode === "toggle" && event.type === "pointerdown") return this.flip();
    if (this.stage.dataset.mode !== "slider" || !event.target.closest("figure")) return;
    event.preventDefault();
    const box = $("figure.actual img", this.stage).getBoundingClientRect();
    this.range.value = ((event.clientX - box.left) / box.width) * 100;
    this.split();
  },

  /** Shows the other one of the two; while the space bar is held, or until the next click. */
  flip(show) {
    if (this.stage?.dataset.mode !== "toggle") return;
    this.stage.dataset.show = show ?? (this.stage.dataset.show === "actual" ? "expected" : "actual");
  },

  zoom() {
    this.zoomed = !this.zoomed;
    this.fit();
  },

  /** What is scrolled in one picture is scrolled in all. */
  together(from) {
    for (const figure of $$("figure", this.stage)) {
      if (figure === from) continue;
      figure.scrollLeft = from.scrollLeft;
      figure.scrollTop = from.scrollTop;
    }
  },

  /** As large as there is room; one to one when zoomed: a pixel of the image is one of the screen. */
  fit() {
    if (!this.stage?.isConnected) return;
    this.stage.classList.toggle("zoomed", this.zoomed);
    const images = $$("img", this.stage).filter((image) => image.naturalWidth > 0);
    const seen = images.filter((image) => getComputedStyle(image.parentElement).display !== "none");
    const across = ["side", "heat"].includes(this.stage.dataset.mode) ? Math.max(seen.length, 1) : 1;
    const width = (this.stage.clientWidth - 24) / across - 12;
    const height = Math.max(innerHeight * 0.68, 240);
    const widest = Math.max(...images.map((image) => image.naturalWidth), 1);
    const tallest = Math.max(...images.map((image) => image.naturalHeight), 1);
    let scale = Math.min(width / widest, height / tallest);
    if (scale > 3) scale = Math.min(Math.floor(scale), 8);
    if (this.zoomed) scale = 1 / devicePixelRatio;
    for (const image of images) {
      // a smaller picture of the same image is drawn as large as the others
      const own = widest / image.naturalWidth;
      const same = Math.abs(image.naturalHeight * own - tallest) < 2 ? own : 1;
      image.style.width = `${Math.round(image.naturalWidth * same * scale)}px`;
      image.style.imageRendering = scale * same >= 3 ? "pixelated" : "auto";
    }
  },
};

