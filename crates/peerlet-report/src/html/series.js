// The time series: a small chart for each metric, folded by peerlet, with one shared range of time.
// Counters show their rate; gauges and distributions their median, its 5-95 % band and the mean.

/** The time that all charts over time show. */
const timeZoom = new ZoomGroup();

function rateCurve(run, metric) {
  const { middles, lengths } = epochTimes(run);
  const sums = metric.sum ?? [];
  const y = middles.map((_, i) => (isNumber(sums[i]) && lengths[i] > 0 ? sums[i] / lengths[i]
    : null));
  return { x: middles, y };
}

/** Every epoch has a place in a list, be it null. */
function padded(values, length) {
  return Array.from({ length }, (_, i) => values?.[i] ?? null);
}

function medianCurve(run, metric) {
  const { middles } = epochTimes(run);
  const list = (name) => padded(metric[name], middles.length);
  return { x: middles, y: list("p50"), low: list("p5"), high: list("p95") };
}

function meanValueCurve(run, metric) {
  const { middles } = epochTimes(run);
  return { x: middles, y: padded(metric.mean, middles.length) };
}

function tagText(metric) {
  const tags = Object.entries(metric.tags ?? {}).map(([key, value]) => `${key} = ${value}`);
  return tags.length > 0 ? ` {${tags.join(", ")}}` : "";
}

/** The series of one metric: a single run shows its median and mean, several one line each. */
function metricSeries(runs, name, mode) {
  const having = runs.filter((run) => run.series[name]);
  const isCounter = having[0].series[name].kind === "counter";
  const metricOf = (run) => run.series[name];
  if (isCounter) {
    const series = overlaid(having, mode, (run) => rateCurve(run, metricOf(run)));
    return having.length === 1 && runs.length === 1
      ? series.map((one) => ({ ...one, label: "rate" })) : series;
  }
  if (runs.length > 1) {
    return mode === "mean"
      ? overlaid(having, mode, (run) => meanValueCurve(run, metricOf(run)))
      : overlaid(having, mode, (run) => medianCurve(run, metricOf(run)));
  }
  const [run] = having;
  const isOne = (metricOf(run).count ?? []).every((count) => !(count > 1));
  const mean = { label: "mean", color: 1, dash: 1, ...meanValueCurve(run, metricOf(run)) };
  return isOne ? [{ ...mean, label: "value", color: 0, dash: 0 }]
    : [{ label: "median, band 5–95 %", color: 0, dash: 0, ...medianCurve(run, metricOf(run)) },
      mean];
}

function metricModel(data, name, options) {
  const { runs } = data;
  const metric = runs.find((run) => run.series[name]).series[name];
  const isCounter = metric.kind === "counter";
  const unit = isCounter ? `${metric.unit ?? "1"}/s` : metric.unit;
  const kind = isCounter ? "rate" : runs.length > 1 && options.mode !== "mean" ? "median"
    : "value";
  return {
    title: `${name}${tagText(metric)}`,
    x: timeAxis(runs),
    y: { label: `${name}, ${kind}`, unit, log: options.isLog, shortLabel: kind },
    marks: options.marks, series: metricSeries(runs, name, options.mode),
    empty: options.isLog ? "No values above zero." : "No values.",
  };
}

/** A group's charts; the charts of a closed group are not made. */
function metricGroup(data, peerlet, names, options, isOpen) {
  const cards = [];
  const grid = () => {
    for (const name of names) {
      const chart = new Chart(() => metricModel(data, name, options),
        { zoom: timeZoom, syncKey: `series ${peerlet}` });
      const metric = data.runs.find((run) => run.series[name]).series[name];
      if (metric.observed) {
        chart.title.firstChild.after(element("span", { class: "tag",
          title: "Measured from outside, by [[observe]]" }, "observed"));
      }
      chart.node.hidden = !options.matches(name);
      cards.push({ name, chart });
    }
    return element("div", { class: "charts" }, cards.map((card) => card.chart.node));
  };
  const node = folded(element("span", {}, peerlet, " ",
    element("span", { class: "count" }, plural(names.length, "metric"))), grid, isOpen);
  return { node, names, cards };
}

function filterBox(groups, options) {
  const input = element("input", { type: "search", placeholder: "Filter metrics",
    "aria-label": "Filter metrics by name" });
  const status = element("span", { class: "count", role: "status" });
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    options.matches = (name) => words.every((word) => name.toLowerCase().includes(word));
    let count = 0;
    for (const group of groups) {
      const found = group.names.filter(options.matches);
      count += found.length;
      group.node.hidden = found.length === 0;
      if (words.length > 0 && found.length > 0) {
        group.node.open = true;
        group.node.ensureContent();
      }
      group.cards.forEach((card) => {
        card.chart.node.hidden = !options.matches(card.name);
      });
    }
    status.textContent = words.length > 0 ? plural(count, "metric") : "";
  });
  return [input, status];
}

/** The switch between a line a run and the mean over runs. */
function modeChoice(runs, options, onChange) {
  if (runs.length < 2) {
    return null;
  }
  const lines = runs.length > MOST_LINES ? `The first ${MOST_LINES} of ${runs.length} runs`
    : "A line for each run";
  const groups = runGroups(runs).length;
  const few = groups > MOST_LINES ? `, the first ${MOST_LINES} of ${groups} scenarios` : "";
  return choice("Runs", [["lines", lines], ["mean", `Mean of runs, 95 % interval${few}`]],
    options.mode, (mode) => {
      options.mode = mode;
      onChange();
    });
}

function seriesSection(data) {
  const byPeerlet = metricGroups(data.runs, "series");
  if (byPeerlet.length === 0) {
    return section("series", "Metrics over time", note("No metric was measured."));
  }
  const options = { isLog: false, mode: isMeanDefault(data.runs) ? "mean" : "lines",
    marks: eventMarks(data.runs), matches: () => true };
  const total = byPeerlet.reduce((sum, [, names]) => sum + names.length, 0);
  const groups = byPeerlet.map(([peerlet, names], i) =>
    metricGroup(data, peerlet, names, options, total <= 24 || i === 0));
  const refresh = () => groups.forEach((group) =>
    group.cards.forEach((card) => card.chart.refresh()));
  const reset = button("Reset zoom", () => timeZoom.reset(), { disabled: true });
  timeZoom.onChange = (isZoomed) => {
    reset.disabled = !isZoomed;
  };
  const bar = element("div", { class: "controls" }, filterBox(groups, options),
    modeChoice(data.runs, options, refresh),
    toggle("Log y", false, (isLog) => {
      options.isLog = isLog;
      refresh();
    }), reset);
  const hint = "Drag in a chart to zoom in on a time; all charts over time follow. "
    + "Double-click to see all. Dashed verticals are the scenario's events.";
  return section("series", "Metrics over time", bar, note(hint, "hint"),
    ...groups.map((group) => group.node));
}
