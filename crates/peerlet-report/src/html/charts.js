// A chart on the page: a figure with its title, buttons for downloads, a uPlot drawing and a legend
// with the values under the cursor. Charts of one zoom group share their range of x; those of one
// sync key share the crosshair.

/** All charts that were made, for themes, printing and the self check. */
const charts = [];

/** A range of x that several charts share. */
class ZoomGroup {
  constructor() {
    this.range = null;
    this.members = new Set();
    this.isBusy = false;
    this.onChange = () => {};
  }

  set(range, source) {
    if (this.isBusy) {
      return;
    }
    this.isBusy = true;
    this.range = range;
    this.members.forEach((chart) => chart !== source && chart.showRange(range));
    this.onChange(range !== null);
    this.isBusy = false;
  }

  reset() {
    this.set(null, null);
  }
}

/** Series that share a color get dashes; so do palette colors that come around again. */
function dashOf(one, order) {
  return DASHES[one.dash ?? (order % DASHES.length)];
}

class Chart {
  /** `makeModel` gives the model anew whenever a switch or the theme changes. */
  constructor(makeModel, { height = 210, zoom = null, syncKey = null } = {}) {
    Object.assign(this, { makeModel, height, zoom, syncKey, plot: null, isMade: false });
    this.hidden = new Set();
    this.title = element("figcaption", {}, element("span", { class: "chart-title" }));
    this.area = element("div", { class: "plot" });
    this.legend = element("div", { class: "legend" });
    this.paper = element("div", { class: "paper", "aria-hidden": "true" });
    this.title.append(this.makeButtons());
    this.node = element("figure", { class: "chart" }, this.title, this.area, this.legend,
      this.paper);
    this.area.style.minHeight = `${height}px`;
    charts.push(this);
    whenVisible(this.node, () => this.make());
    this.nameFrom(this.model());
  }

  model() {
    this.lastModel = this.makeModel();
    return this.lastModel;
  }

  nameFrom(model) {
    this.title.firstChild.textContent = model.title;
    this.node.setAttribute("aria-label", `Plot: ${model.title}`);
  }

  makeButtons() {
    const name = () => this.lastModel.file ?? this.lastModel.title;
    const svg = () => download(new Blob([this.svg()], { type: "image/svg+xml" }), `${name()}.svg`);
    const png = async () => download(await pngOf(this.svg(), SVG_SIZE), `${name()}.png`);
    const csv = () => download(new Blob([csvOf(this.model())], { type: "text/csv" }),
      `${name()}.csv`);
    const hint = (kind) => ({ class: "save", title: `Download as ${kind}` });
    return element("span", { class: "saves" }, button("SVG", svg, hint("SVG")),
      button("PNG", png, hint("PNG")), button("CSV", csv, hint("CSV")));
  }

  svg() {
    const model = this.model();
    const series = model.series.filter((one) => !this.hidden.has(one.label));
    return svgOf({ ...model, series }, this.zoom?.range ?? null);
  }

  make() {
    if (!this.isMade) {
      this.isMade = true;
      this.zoom?.members.add(this);
      this.draw();
      this.resizing = new ResizeObserver(() => this.fit());
      this.resizing.observe(this.area);
    }
  }

  /** Draws anew, where it was drawn before. */
  refresh() {
    this.nameFrom(this.model());
    if (this.isMade) {
      this.draw();
    }
  }

  fit() {
    const width = this.area.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.height });
    }
  }

  draw() {
    this.plot?.destroy();
    this.plot = null;
    this.legend.replaceChildren();
    const model = drawable(this.model());
    if (model.series.length === 0) {
      this.area.replaceChildren(note(model.empty ?? "No values."));
      this.area.style.minHeight = "";
      return;
    }
    this.area.style.minHeight = `${this.height}px`;
    this.area.replaceChildren();
    const { options, data } = plotOptions(this, model);
    this.plot = new uPlot(options, data, this.area);
    this.legendEntries = makeLegend(this, model);
    if (this.zoom?.range) {
      this.showRange(this.zoom.range);
    }
  }

  showRange(range) {
    if (!this.plot) {
      return;
    }
    const [min, max] = range ?? this.fullRange;
    this.plot.setScale("x", { min, max });
  }

  /** Puts the SVG where print shows it. */
  putOnPaper() {
    const parsed = new DOMParser().parseFromString(this.svg(), "image/svg+xml");
    this.paper.replaceChildren(document.importNode(parsed.documentElement, true));
  }
}

/** The aligned data of uPlot, and which of its series belong to which of the model's. */
function alignedData(model) {
  const tables = [];
  const places = [];
  let next = 1;
  for (const one of model.series) {
    const lists = one.low ? [one.y, one.low, one.high] : [one.y];
    tables.push([one.x, ...lists]);
    places.push({ main: next, low: one.low ? next + 1 : null, high: one.low ? next + 2 : null });
    next += lists.length;
  }
  return { data: uPlot.join(tables), places };
}

function plotSeries(model) {
  const series = [{}];
  const bands = [];
  model.series.forEach((one, order) => {
    const color = colorOf(one.color);
    const isStep = one.style === "step";
    const paths = isStep ? { paths: uPlot.paths.stepped({ align: 1 }) } : {};
    const points = { size: 5, fill: color, stroke: color };
    if (isStep && one.x.length > 1) {
      points.show = false;
    } else if (one.style === "points" || one.x.length === 1) {
      points.show = true;
    }
    series.push({ label: one.label, stroke: color, width: 1.6, dash: dashOf(one, order), points,
      ...paths });
    if (one.low) {
      const edge = { stroke: "transparent", width: 1, points: { show: false } };
      series.push({ ...edge }, { ...edge });
      if (one.spread !== "bars") {
        const at = series.length;
        bands.push({ series: [at - 1, at - 2], fill: withAlpha(color, 0.18) });
      }
    }
  });
  return { series, bands };
}

function plotAxis(model, which, scale) {
  const axis = model[which];
  const isX = which === "x";
  return {
    scale: which, side: isX ? 2 : 3, stroke: colorOf("muted"),
    font: "11px system-ui, sans-serif", labelFont: "11px system-ui, sans-serif",
    label: axisLabel(axis, scale, axis.shortLabel), labelSize: 16, labelGap: 0, gap: 4,
    size: isX ? 24 : 52,
    grid: { show: !isX, stroke: colorOf("faint"), width: 1 },
    ticks: { stroke: colorOf("faint"), width: 1, size: 4 },
    filter: (plot, splits) => splits,
    splits: (plot, index, low, high) => {
      const pixels = isX ? plot.bbox.width / devicePixelRatio / 70
        : plot.bbox.height / devicePixelRatio / 34;
      return ticksOf(low, high, axis, scale, Math.max(2, Math.floor(pixels)));
    },
    values: (plot, splits) => splits.map((value) =>
      (value === null ? "" : shortened(textOfTick(value, axis, scale), 14))),
  };
}

function plotOptions(chart, model) {
  const { data, places } = alignedData(model);
  const { series, bands } = plotSeries(model);
  const scales = { x: axisScale(model, "x"), y: axisScale(model, "y") };
  chart.places = places;
  chart.fullRange = rangesOf(model).x;
  const xs = extentOf(model.series.map((one) => one.x));
  const rangeX = (plot, low, high) => (low <= xs[0] && high >= xs[1] ? chart.fullRange
    : paddedRange(low, high, model.x, false));
  const rangeY = (plot, low, high) => paddedRange(low, high, model.y, true);
  const onlyMoves = (type) => type === "mousemove" || type === "mouseleave";
  const cursor = { y: false, drag: { x: true, y: false, dist: 4 }, points: { size: 6 } };
  if (chart.syncKey) {
    cursor.sync = { key: chart.syncKey, setSeries: false,
      filters: { pub: onlyMoves, sub: onlyMoves } };
  }
  const options = {
    width: Math.max(120, chart.area.clientWidth || 320), height: chart.height,
    legend: { show: false }, series, bands, cursor,
    padding: [8, 20, 0, 0],
    scales: {
      x: { time: false, distr: model.x.log ? 3 : 1, range: rangeX },
      y: { distr: model.y.log ? 3 : 1, range: rangeY },
    },
    axes: [plotAxis(model, "x", scales.x), plotAxis(model, "y", scales.y)],
    hooks: plotHooks(chart, model),
  };
  return { options, data };
}

function plotHooks(chart, model) {
  return {
    drawAxes: [(plot) => drawMarks(plot, model.marks ?? [])],
    draw: [(plot) => drawBars(plot, model, chart.places)],
    setCursor: [(plot) => showValues(chart, plot, model)],
    setScale: [(plot, key) => {
      const { min, max } = plot.scales.x;
      if (key === "x" && chart.plot === plot && chart.zoom && isNumber(min)) {
        const [low, high] = chart.fullRange;
        const isFull = Math.abs(min - low) + Math.abs(max - high) < (high - low) * 1e-9;
        chart.zoom.set(isFull ? null : [min, max], chart);
      }
    }],
  };
}

function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colorOf("mark");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.x, "x", true)) + 0.5;
    if (x >= bbox.left && x <= bbox.left + bbox.width) {
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
    }
  }
  ctx.stroke();
  ctx.restore();
}

/** Intervals as bars with caps. */
function drawBars(plot, model, places) {
  const { ctx } = plot;
  const cap = 4 * devicePixelRatio;
  model.series.forEach((one, order) => {
    if (one.spread !== "bars" || !plot.series[places[order].main].show) {
      return;
    }
    ctx.save();
    ctx.strokeStyle = colorOf(one.color);
    ctx.lineWidth = 1.2 * devicePixelRatio;
    ctx.beginPath();
    one.x.forEach((value, i) => {
      if (isNumber(one.low?.[i]) && isNumber(one.high?.[i])) {
        const x = plot.valToPos(value, "x", true);
        const [low, high] = [one.low[i], one.high[i]].map((y) => plot.valToPos(y, "y", true));
        ctx.moveTo(x, low);
        ctx.lineTo(x, high);
        for (const y of [low, high]) {
          ctx.moveTo(x - cap, y);
          ctx.lineTo(x + cap, y);
        }
      }
    });
    ctx.stroke();
    ctx.restore();
  });
}

function swatch(one, order) {
  const dash = dashOf(one, order);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  line.setAttribute("viewBox", "0 0 22 8");
  line.setAttribute("class", "swatch");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M0 4H22");
  path.setAttribute("stroke", colorOf(one.color));
  path.setAttribute("stroke-width", "2.4");
  path.setAttribute("stroke-dasharray", dash.join(" "));
  line.append(path);
  return line;
}

/** The legend: a button a series that shows and hides it, with the value under the cursor. */
function makeLegend(chart, model) {
  const where = element("span", { class: "where" });
  const entries = model.series.map((one, order) => {
    const value = element("span", { class: "value" });
    const entry = button("", () => switchSeries(chart, one, order), { class: "entry",
      "aria-pressed": String(!chart.hidden.has(one.label)), title: "Show or hide" });
    entry.append(swatch(one, order), element("span", { class: "label" }, one.label), value);
    return { entry, value };
  });
  chart.legend.append(...entries.map(({ entry }) => entry), where);
  chart.legendEntries = entries;
  chart.where = where;
  model.series.forEach((one, order) => {
    if (chart.hidden.has(one.label)) {
      showSeries(chart, order, false);
    }
  });
  return entries;
}

function showSeries(chart, order, isShown) {
  const { main, low, high } = chart.places[order];
  [main, low, high].filter((at) => at !== null)
    .forEach((at) => chart.plot.setSeries(at, { show: isShown }));
  chart.legendEntries[order].entry.setAttribute("aria-pressed", String(isShown));
}

function switchSeries(chart, one, order) {
  const isShown = chart.hidden.has(one.label);
  chart.hidden[isShown ? "delete" : "add"](one.label);
  showSeries(chart, order, isShown);
}

/** The values under the cursor, and the event near it. */
function showValues(chart, plot, model) {
  if (!chart.legendEntries || !chart.where) {
    return;
  }
  const { left, idx } = plot.cursor;
  const isOver = left >= 0 && idx !== null && idx !== undefined;
  model.series.forEach((one, order) => {
    const { main, low, high } = chart.places[order];
    const at = plot.cursor.idxs[main];
    const read = (index) => plot.data[index][at];
    let text = "";
    if (isOver && isNumber(read(main))) {
      text = quantity(read(main), model.y.unit);
      if (low !== null && isNumber(read(low)) && isNumber(read(high))) {
        text += ` [${quantity(read(low), model.y.unit, 3)}, ${
          quantity(read(high), model.y.unit, 3)}]`;
      }
    }
    chart.legendEntries[order].value.textContent = text;
  });
  const near = isOver && (model.marks ?? []).find((mark) =>
    Math.abs(plot.valToPos(mark.x, "x") - left) < 5);
  const x = isOver ? plot.data[0][idx] : null;
  const shownX = model.x.ticks?.find((tick) => tick.at === x)?.text
    ?? (model.x.isTime ? seconds(x) : quantity(x, model.x.unit));
  chart.where.textContent = isOver ? `at ${shownX}${near ? ` · ${near.text}` : ""}` : "";
}

theme.listeners.add(() => charts.forEach((chart) => chart.isMade && chart.draw()));
