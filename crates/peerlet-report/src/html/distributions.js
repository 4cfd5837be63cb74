// The distributions over the measured part of the run: cumulative shares (CDF) or their complements
// (CCDF) of each metric, with a table of percentiles.

const PERCENTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/** One line a run, or the pooled values of each scenario where there are too many runs. */
function distributionSources(runs, name) {
  const having = runs.filter((run) => run.distributions[name]);
  if (having.length <= MOST_LINES) {
    return having.map((run) => ({ label: run.name, color: run.index,
      buckets: mergeBuckets([run.distributions[name]]), run }));
  }
  return runGroups(having).slice(0, MOST_LINES).map((group) => ({
    label: `${group.title}, ${group.members.length} runs together`, color: group.index,
    buckets: mergeBuckets(group.members.map((run) => run.distributions[name])) }));
}

/** The steps of a source; the complement counts the values above. */
function shareSeries({ label, color, buckets }, isComplement) {
  const { x, share } = cumulative(buckets);
  // Without a step up from zero, a line at the first value shows where the values begin.
  const first = share.length > 0 && share[0] > 0 ? { x: [x[0]], share: [0] }
    : { x: [], share: [] };
  const xs = [...first.x, ...x];
  const shares = [...first.share, ...share];
  return { label, color, dash: color % DASHES.length, style: "step", x: xs,
    y: isComplement ? shares.map((value) => 1 - value) : shares };
}

/** uPlot wants each x once: a step up at the first value begins just before it. */
function withDistinctX(series) {
  const { x } = series;
  if (x.length > 1 && x[0] === x[1]) {
    const span = x[x.length - 1] - x[0] || Math.abs(x[0]) || 1;
    const before = x[0] > 0 ? x[0] * (1 - 1e-9) : x[0] - span * 1e-9;
    return { ...series, x: [before, ...x.slice(1)] };
  }
  return series;
}

/** A single value stands in the middle of its axis. */
function roomAround(buckets, isLog) {
  const [low, high] = extentOf([buckets.map((one) => one.low), buckets.map((one) => one.high)])
    ?? [0, 1];
  if (low < high) {
    return {};
  }
  const [min, max] = paddedRange(low, high, { log: isLog }, false);
  return { min, max };
}

/** A plot of cumulative shares, for metrics and for peers. */
function shareModel(title, label, unit, sources, options) {
  const values = sources.flatMap((source) => source.buckets);
  const isPositive = values.every((bucket) => bucket.low > 0);
  const isComplement = options.kind === "ccdf";
  const isLog = options.isLogX && isPositive;
  return {
    title, isPositive, file: `${title} ${options.kind.toUpperCase()}`,
    x: { label, unit, log: isLog, ...roomAround(values, isLog) },
    y: { label: isComplement ? "share of values above" : "share of values up to", unit: "1",
      log: isComplement && options.isLogY, max: isComplement && options.isLogY ? undefined : 1.02 },
    series: sources.filter((source) => source.buckets.length > 0)
      .map((source) => withDistinctX(shareSeries(source, isComplement))),
  };
}

function percentilesTable(runs, name) {
  const sources = distributionSources(runs, name).filter((source) => source.buckets.length > 0);
  if (sources.length === 0) {
    return null;
  }
  const unit = runs.find((run) => run.distributions[name]).distributions[name].unit;
  const columns = [{ label: "Run" }, { label: "Values", numeric: true },
    ...PERCENTILES.map((share) => ({ label: `p${Math.round(share * 100)}`, numeric: true }))];
  const rows = sources.map((source) => {
    const measure = source.run?.summary.measures?.[name] ?? {};
    const exact = (share) => measure[`p${Math.round(share * 100)}`]
      ?? percentileOf(source.buckets, share);
    const count = source.buckets.reduce((sum, bucket) => sum + bucket.count, 0);
    return [source.label, grouped(count),
      ...PERCENTILES.map((share) => quantity(exact(share), unit))];
  });
  return table(columns, rows, `Percentiles of ${name}`);
}

function distributionChart(data, name, options) {
  const unit = data.runs.find((run) => run.distributions[name]).distributions[name].unit;
  const remark = element("p", { class: "note hint" });
  const chart = new Chart(() => {
    const model = shareModel(name, name, unit, distributionSources(data.runs, name), options);
    remark.textContent = options.isLogX && !model.isPositive && model.series.length > 0
      ? "Linear: some values are not above zero." : "";
    return model;
  }, { height: 230 });
  const percentiles = percentilesTable(data.runs, name);
  if (percentiles) {
    chart.node.append(remark, folded("Percentiles", () => percentiles));
  }
  chart.node.hidden = !options.matches(name);
  return chart;
}

function distributionsSection(data) {
  const byPeerlet = metricGroups(data.runs, "distributions");
  if (byPeerlet.length === 0) {
    return section("distributions", "Distributions", note("No metric has a distribution."));
  }
  const options = { kind: "cdf", isLogX: false, isLogY: false, matches: () => true };
  const groups = byPeerlet.map(([peerlet, names], i) => {
    const cards = [];
    const node = folded(element("span", {}, peerlet, " ",
      element("span", { class: "count" }, plural(names.length, "metric"))), () => {
      cards.push(...names.map((name) => ({ name, chart: distributionChart(data, name, options) })));
      return element("div", { class: "charts" }, cards.map((card) => card.chart.node));
    }, i === 0);
    return { node, names, cards };
  });
  const refresh = () => groups.forEach((group) =>
    group.cards.forEach((card) => card.chart.refresh()));
  const set = (field) => (value) => {
    options[field] = value;
    refresh();
  };
  const bar = element("div", { class: "controls" }, filterBox(groups, options),
    choice("Show", [["cdf", "CDF: share up to"], ["ccdf", "CCDF: share above"]], "cdf",
      set("kind")),
    toggle("Log x", false, set("isLogX")), toggle("Log y (CCDF)", false, set("isLogY")));
  return section("distributions", "Distributions", bar, ...groups.map((group) => group.node));
}
