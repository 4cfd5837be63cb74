// A sweep over scenario keys: each metric and statistic against the first numeric key, with 95 %
// intervals over the seeds, a line for each combination of the other keys, and the numbers.

const MOST_SWEEP_LINES = 16;

function sweepMetrics(sweep) {
  const metrics = new Map();
  for (const point of sweep.points ?? []) {
    for (const [name, metric] of Object.entries(point.metrics ?? {})) {
      const known = metrics.get(name) ?? { unit: metric.unit, kind: metric.kind,
        statistics: new Set() };
      Object.keys(metric.statistics ?? {}).forEach((key) => known.statistics.add(key));
      metrics.set(name, known);
    }
  }
  return metrics;
}

/** A number with a unit that scenarios use, such as "50ms" or "1 %", as a plain one. */
function sweepNumber(text) {
  const match = /^\s*([-+]?[\d_.]+(?:e[-+]?\d+)?)\s*(ns|us|µs|ms|s|m|h|d|%)?\s*$/i
    .exec(String(text));
  if (!match) {
    return null;
  }
  const factors = { ns: 1e-9, us: 1e-6, "µs": 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400,
    "%": 0.01 };
  const value = Number(match[1].replaceAll("_", ""));
  return Number.isFinite(value) ? Number((value * (factors[match[2]] ?? 1)).toPrecision(12)) : null;
}

/** The key of the x axis: the first whose values are all numbers, else the first by its order. */
function sweepAxis(sweep) {
  const keys = sweep.keys ?? [];
  const numeric = keys.findIndex((key) => key.values.length > 1
    && key.values.every((value) => sweepNumber(value) !== null));
  const index = Math.max(0, numeric);
  const key = keys[index];
  if (!key) {
    return null;
  }
  if (numeric < 0) {
    const ticks = key.values.map((text, at) => ({ at: at + 1, text: String(text) }));
    return { index, label: key.key, ticks, of: (text) => key.values.indexOf(text) + 1,
      isPositive: false };
  }
  return { index, label: key.key, of: sweepNumber,
    isPositive: key.values.every((value) => sweepNumber(value) > 0) };
}

/** The points by the values of the other keys. */
function sweepLines(sweep, axis) {
  const lines = new Map();
  for (const point of sweep.points ?? []) {
    const values = point.values ?? [];
    const label = (sweep.keys ?? []).map((key, i) => `${key.key} = ${values[i]}`)
      .filter((_, i) => i !== axis.index).join(", ");
    const line = lines.get(label) ?? [];
    line.push({ x: axis.of(values[axis.index]), point });
    lines.set(label, line);
  }
  lines.forEach((line) => line.sort((a, b) => a.x - b.x));
  return lines;
}

function sweepModel(sweep, axis, metrics, options) {
  const { name, statistic, isLogX, isLogY } = options;
  const unit = metrics.get(name)?.unit;
  const lines = [...sweepLines(sweep, axis)].slice(0, MOST_SWEEP_LINES);
  const series = lines.map(([label, line], color) => {
    const found = line.map(({ x, point }) =>
      ({ x, value: point.metrics?.[name]?.statistics?.[statistic] }));
    const list = (field) => found.map(({ value }) => value?.[field] ?? null);
    return { label: label || name, color, style: "points", spread: "bars",
      x: found.map((one) => one.x), y: list("mean"), low: list("low"), high: list("high") };
  });
  return { title: `${name}, ${statistic}, by ${axis.label}`,
    x: { label: axis.label, unit: null, log: isLogX && axis.isPositive, ticks: axis.ticks,
      isBare: true },
    y: { label: `${name}, ${statistic}`, unit, log: isLogY }, series };
}

function sweepTable(sweep, metrics, { name, statistic }) {
  const unit = metrics.get(name)?.unit;
  const columns = [...(sweep.keys ?? []).map((key) => ({ label: key.key, numeric: true })),
    { label: "Runs", numeric: true }, { label: `Mean of ${statistic}`, numeric: true },
    { label: "95 % interval", numeric: true }];
  const rows = (sweep.points ?? []).map((point) => {
    const value = point.metrics?.[name]?.statistics?.[statistic] ?? {};
    const interval = isNumber(value.low) && isNumber(value.high)
      ? `${quantity(value.low, unit)} to ${quantity(value.high, unit)}` : null;
    return [...(point.values ?? []).map(String), isNumber(value.runs) ? grouped(value.runs) : null,
      quantity(value.mean, unit), interval];
  });
  return table(columns, rows, `${name}, ${statistic}`);
}

function sweepControls(metrics, axis, options, refresh) {
  const statistics = () => [...metrics.get(options.name).statistics].map((key) => [key, key]);
  const statistic = choice("Statistic", statistics(), options.statistic, (key) => {
    options.statistic = key;
    refresh();
  });
  const metric = choice("Metric", [...metrics.keys()].sort().map((key) => [key, key]),
    options.name, (key) => {
      options.name = key;
      const known = metrics.get(key).statistics;
      options.statistic = known.has(options.statistic) ? options.statistic : [...known][0];
      statistic.setOptions(statistics(), options.statistic);
      refresh();
    });
  const set = (field) => (value) => {
    options[field] = value;
    refresh();
  };
  return element("div", { class: "controls" }, metric, statistic,
    axis.isPositive ? toggle("Log x", false, set("isLogX"))
      : note("No log x: not all values are above zero.", "hint"),
    toggle("Log y", false, set("isLogY")));
}

function sweepSection(data) {
  const { sweep } = data;
  const metrics = sweepMetrics(sweep);
  const axis = sweepAxis(sweep);
  if (!axis || metrics.size === 0) {
    return section("sweep", "Sweep", note("The sweep has no points."));
  }
  const name = [...metrics.keys()].sort()[0];
  const known = metrics.get(name).statistics;
  const options = { name, statistic: known.has("mean") ? "mean" : [...known][0], isLogX: false,
    isLogY: false };
  const chart = new Chart(() => sweepModel(sweep, axis, metrics, options), { height: 320 });
  const numbers = element("div", {});
  const refresh = () => {
    chart.refresh();
    numbers.replaceChildren(sweepTable(sweep, metrics, options));
  };
  refresh();
  const seeds = sweep.seeds ? `Seeds ${sweep.seeds[0]} to ${sweep.seeds[1]}; bars are 95 % `
    + "intervals of the mean over seeds, by Student's t." : "";
  return section("sweep", "Sweep", sweepControls(metrics, axis, options, refresh),
    note(seeds, "hint"), element("div", { class: "charts single" }, chart.node),
    limitNote(sweepLines(sweep, axis).size, "line", MOST_SWEEP_LINES) ?? "", numbers);
}
