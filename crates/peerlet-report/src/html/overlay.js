// The section of the overlay: which graph, layout and colors, the canvas with its timeline, and
// beside it the facts of the frame, the legend and the peer that is looked at.

const NO_LINKS = "No links were recorded: run with `[[observe]]`.";
const MOST_LISTED_LINKS = 40;
const FORCE_MILLISECONDS = 14;

/** The overlays on the page, for printing and the self check. */
const overlays = [];

const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

class Overlay {
  constructor(sources) {
    this.sources = sources;
    this.loaded = new Map();
    this.isStarted = false;
    this.lastMove = -Infinity;
    this.build();
    this.view = new NetworkView(this.canvas, () => this.needFrame());
    this.pointers = new Pointers(this);
    this.listen();
    overlays.push(this);
    whenVisible(this.node, () => this.start());
  }

  build() {
    this.canvas = element("canvas", { role: "img", "aria-label": "The overlay's peers and links" });
    this.status = element("div", { class: "status", role: "status" });
    this.tip = element("div", { class: "tip", hidden: true });
    const zoom = element("div", { class: "zoom" },
      button("+", () => this.zoom(1.4), { "aria-label": "Zoom in" }),
      button("−", () => this.zoom(1 / 1.4), { "aria-label": "Zoom out" }),
      button("Fit", () => this.fitView()));
    this.stage = element("div", { class: "stage", tabindex: "0",
      "aria-label": "Overlay. Arrow keys move in time, plus and minus zoom, space plays." },
    this.canvas, this.status, this.tip, zoom);
    this.timeline = new Timeline((frame, time) => this.showTime(frame, time));
    this.facts = element("div", { class: "frame-facts" });
    this.kindKeys = element("div", { class: "keys" });
    this.nodeKeys = element("div", { class: "keys" });
    this.inspector = element("div", { class: "inspector" });
    const heading = (text) => element("h3", {}, text);
    const side = element("div", { class: "side" }, heading("This frame"), this.facts,
      heading("Links"), this.kindKeys, heading("Peers"), this.nodeKeys, heading("Peer"),
      this.inspector);
    this.node = element("div", {}, this.makeControls(),
      element("div", { class: "overlay" }, element("div", {}, this.stage, this.timeline.node),
        side));
  }

  makeControls() {
    const options = this.sources.map(({ label }, i) => [String(i), label]);
    this.layoutChoice = choice("Layout", LAYOUTS, "ring", (name) => this.setLayout(name));
    const saves = element("span", { class: "saves" },
      button("SVG", () => download(new Blob([this.svg()], { type: "image/svg+xml" }),
        `${this.title()}.svg`), { class: "save" }),
      button("PNG", async () => download(await pngOf(this.svg(), NETWORK_SVG),
        `${this.title()}.png`), { class: "save" }),
      button("CSV", () => download(new Blob([this.csv()], { type: "text/csv" }),
        `${this.title()}.csv`), { class: "save" }));
    return element("div", { class: "controls" },
      options.length > 1 ? choice("Graph", options, "0", (i) => this.open(Number(i))) : null,
      this.layoutChoice, choice("Color", COLORINGS, "group", (name) => {
        this.coloring = name;
        this.view.coloring = name;
        this.changed();
      }), saves);
  }

  listen() {
    this.resizing = new ResizeObserver(() => {
      if (this.isStarted) {
        this.view.resize();
        this.needFrame();
      }
    });
    this.resizing.observe(this.stage);
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    theme.listeners.add(() => {
      if (this.isStarted) {
        this.showSide();
        this.view.draw(performance.now(), Infinity);
      }
    });
  }

  onKey(event) {
    const isControl = event.target.closest("button, select, input:not([type=range])");
    if (!this.isStarted || isControl || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === "+" || event.key === "=") {
      this.zoom(1.25);
    } else if (event.key === "-") {
      this.zoom(0.8);
    } else if (event.key === "0") {
      this.fitView();
    } else if (!this.timeline.onKey(event)) {
      return;
    }
    event.preventDefault();
  }

  start() {
    if (!this.isStarted) {
      this.isStarted = true;
      this.open(0);
    }
  }

  title() {
    return `${this.source.label} at ${digits(this.view.time, 6)} s`;
  }

  get frameCount() {
    return this.timeline.times.length;
  }

  /** Shows the graph of one source; it is read once. */
  open(index) {
    this.source = this.sources[index];
    if (!this.loaded.has(index)) {
      const { run, graph } = this.source;
      this.loaded.set(index, { graph: new GraphData(graph), flights: new Flights(run.messages) });
    }
    const { graph, flights } = this.loaded.get(index);
    this.graph = graph;
    graph.seek(0);
    this.view.setGraph(graph, flights);
    this.view.coloring = this.coloring ?? (this.view.groups.length > 1 ? "group" : "degree");
    const layouts = LAYOUTS.filter(([name]) => name !== "geographic" || hasPlaces(graph));
    const layout = layouts.some(([name]) => name === this.view.layout) ? this.view.layout : "ring";
    this.layoutChoice.setOptions(layouts, layout);
    this.view.setLayout(layout);
    this.makeKindKeys();
    this.timeline.setFrames(graph.frames.map((frame) => frame.time), !flights.isEmpty);
    this.select(null);
    this.fitView();
  }

  makeKindKeys() {
    this.kindKeys.replaceChildren(...this.graph.kinds.map((name, kind) => {
      const key = toggle(name, true, (isOn) => {
        this.view.isKindShown[kind] = isOn ? 1 : 0;
        this.changed();
      });
      const dot = element("span", { class: "dot line", "aria-hidden": "true" });
      key.dataset.kind = kind;
      key.firstChild.after(dot);
      return key;
    }));
  }

  setLayout(name) {
    this.view.setLayout(name);
    if (name === "force" && reducedMotion.matches) {
      this.view.advanceForces(performance.now() + 1500);
    }
    this.fitView();
  }

  changed() {
    this.view.factsAreStale = true;
    this.view.linksAreStale = true;
    this.needFrame();
  }

  zoom(factor) {
    const { clientWidth, clientHeight } = this.canvas;
    this.view.zoomAt(factor, clientWidth / 2, clientHeight / 2, performance.now());
    this.needFrame();
  }

  fitView() {
    this.view.resetCamera();
    this.needFrame();
  }

  showTime(frame, time) {
    this.view.time = time;
    if (this.graph.frames.length > 0 && frame !== this.graph.at) {
      this.graph.seek(frame);
      this.view.frameChanged();
    }
    this.lastMove = performance.now();
    this.needFrame();
  }

  needFrame() {
    if (!this.isPending && this.isStarted) {
      this.isPending = true;
      requestAnimationFrame((now) => this.drawFrame(now));
    }
  }

  /** One frame: facts where there is time for them, forces, the drawing. */
  drawFrame(now) {
    this.isPending = false;
    const isMoving = performance.now() - this.lastMove < SETTLE_MILLISECONDS;
    const isForming = this.view.advanceForces(performance.now() + FORCE_MILLISECONDS);
    this.view.refreshFacts(isMoving);
    const isWhole = this.view.draw(performance.now(), SLICE_MILLISECONDS);
    if (!isMoving || !this.hasSide) {
      this.showSide();
    }
    this.showStatus(isForming, isWhole);
    if (isMoving || isForming || !isWhole) {
      this.needFrame();
    }
  }

  showStatus(isForming, isWhole) {
    const { view } = this;
    const parts = [];
    if (view.layout === "matrix") {
      parts.push("row: from, column: to");
    } else if (view.layout === "geographic") {
      parts.push("peers without a known place are in the row below");
    }
    if (isForming && view.stride > 1) {
      parts.push(`placing peers; one in ${view.stride} links is drawn meanwhile`);
    } else if (isForming) {
      parts.push("placing peers");
    } else if (!isWhole) {
      parts.push("drawing links");
    }
    const flying = view.inFlight?.length ?? 0;
    if (!view.flights.isEmpty && view.layout !== "matrix") {
      const most = flying > MOST_FLIGHTS ? `, ${grouped(MOST_FLIGHTS)} of them drawn` : "";
      parts.push(`${plural(flying, "recorded message")} in flight${most}`);
    }
    const text = this.hint ?? parts.join(" · ");
    if (this.status.textContent !== text) {
      this.status.textContent = text;
    }
  }

  showHint(text) {
    this.hint = text;
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => {
      this.hint = null;
      this.needFrame();
    }, 1800);
    this.needFrame();
  }

  showSide() {
    const { view, graph } = this;
    view.refreshFacts(false);
    const { facts, colors } = view;
    const { joined = [], left = [] } = graph.at > 0 ? graph.frame : {};
    const kept = [["Peers", grouped(facts.nodes)], ["Links", grouped(facts.links)],
      [graph.isDirected ? "Mean out-degree" : "Mean degree", digits(facts.meanDegree, 3)],
      ["Components", grouped(facts.components)], ["Largest", grouped(facts.largest)],
      ["Joined", grouped(joined.length)], ["Left", grouped(left.length)]];
    this.facts.replaceChildren(element("dl", { class: "facts" },
      kept.map(([name, value]) => fact(name, value))));
    this.kindKeys.querySelectorAll(".toggle").forEach((key) => {
      key.querySelector(".dot").style.background = view.kindColor(Number(key.dataset.kind));
    });
    this.nodeKeys.replaceChildren(...nodeLegend(colors),
      keyEntry(colorOf("good"), "joined since the last frame", "hollow"),
      element("span", { class: "key" }, element("b", { class: "cross", "aria-hidden": "true" },
        "✕"), "left since the last frame"));
    this.showInspector();
    this.hasSide = true;
  }

  groupOf(seat) {
    return this.graph.graph.groups?.[seat] ?? null;
  }

  hover(seat, place = null) {
    if (this.view.hovered !== seat) {
      this.view.hovered = seat;
      this.needFrame();
    }
    this.tip.hidden = seat === null;
    if (seat === null || !place) {
      return;
    }
    const group = this.groupOf(seat);
    this.tip.textContent = `Peer ${seat}${group ? `, ${group}` : ""}, ${
      plural(this.graph.degree[seat], "link")}`;
    const isRight = place.x > this.canvas.clientWidth / 2;
    this.tip.style.left = isRight ? "" : `${place.x + 14}px`;
    this.tip.style.right = isRight ? `${this.canvas.clientWidth - place.x + 14}px` : "";
    this.tip.style.top = `${Math.max(4, place.y - 30)}px`;
  }

  select(seat) {
    this.view.selected = seat;
    this.showInspector();
    this.needFrame();
  }

  showInspector() {
    const seat = this.view.selected;
    if (seat === null) {
      this.inspector.replaceChildren(note("Click or tap a peer to see its links.", "hint"));
      return;
    }
    const { graph } = this;
    const links = graph.linksOf(seat, this.view.isKindShown);
    const out = links.filter((link) => link.isOut).length;
    const degree = graph.isDirected ? `${out} out, ${links.length - out} in` : links.length;
    const group = this.groupOf(seat);
    const share = graph.position[seat];
    const age = digits(graph.ageOf(seat, this.view.time), 4);
    const arrow = (link) => (graph.isDirected ? (link.isOut ? "→ " : "← ") : "– ");
    const items = links.slice(0, MOST_LISTED_LINKS).map((link) => element("li", {},
      `${arrow(link)}${link.other}, ${graph.kinds[link.kind]}`));
    const rest = links.length - items.length;
    this.inspector.replaceChildren(
      element("p", {}, element("b", {}, `Peer ${seat}`), group ? `, ${group}` : "",
        graph.present[seat] === 1 ? `, here for ${age} s` : ", absent"),
      element("p", {}, `Links: ${degree}${Number.isNaN(share) ? ""
        : `; position ${digits(share, 5)}`}`),
      element("ul", { class: "links" }, items, rest > 0
        ? element("li", {}, `and ${grouped(rest)} more`) : null));
  }

  svg() {
    this.start();
    this.view.refreshFacts(false);
    this.view.place();
    return networkSvg(this.view, this.title());
  }

  /** The links of the frame that is shown. */
  csv() {
    const { graph } = this;
    const rows = ["from,to,kind"];
    for (let id = 0; id < graph.alive.length; id += 1) {
      if (graph.alive[id] === 1) {
        const kind = graph.kinds[graph.linkKind[id]].replaceAll('"', '""');
        rows.push(`${graph.linkFrom[id]},${graph.linkTo[id]},"${kind}"`);
      }
    }
    return `${rows.join("\n")}\n`;
  }

  putOnPaper() {
    this.start();
    this.lastMove = -Infinity;
    this.view.draw(performance.now() + 1e6, Infinity);
    this.showSide();
  }

  drawNow() {
    this.view.refreshFacts(false);
    this.view.draw(performance.now(), Infinity);
  }

  /** For the self check: shows each frame of each graph, at most so many of each. */
  async checkFrames(most, pauseNow) {
    let count = 0;
    for (let index = 0; index < this.sources.length; index += 1) {
      this.open(index);
      const step = Math.max(1, Math.ceil(this.frameCount / most));
      for (let frame = 0; frame < this.frameCount; frame += step) {
        this.timeline.drag(frame);
        this.drawNow();
        count += 1;
        if (count % 10 === 0) {
          await pauseNow();
        }
      }
    }
    return count;
  }

  async checkLayouts(pauseNow) {
    for (const [name] of LAYOUTS) {
      if (name !== "geographic" || hasPlaces(this.graph)) {
        this.setLayout(name);
        for (let slice = 0; slice < 3; slice += 1) {
          this.view.advanceForces(performance.now() + 20);
          this.drawNow();
          await pauseNow();
        }
        this.select(this.graph.present.indexOf(1) < 0 ? null : this.graph.present.indexOf(1));
        this.drawNow();
        this.select(null);
      }
    }
    this.setLayout("ring");
  }

  /** When the first picture is whole. */
  async settled() {
    while (this.isPending) {
      await new Promise((resolve) => {
        requestAnimationFrame(resolve);
      });
    }
  }
}

function overlaySection(data) {
  const sources = data.runs.flatMap((run) => run.graphs.map((graph, i) => {
    const name = String(graph.name ?? `graph ${i + 1}`);
    return { run, graph, label: data.runs.length > 1 ? `${run.name}: ${name}` : name };
  })).filter(({ graph }) => (graph.frames ?? []).length > 0);
  if (sources.length === 0) {
    return section("overlay", "Overlay", note(NO_LINKS));
  }
  return section("overlay", "Overlay", new Overlay(sources).node);
}
