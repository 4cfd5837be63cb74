// Traffic and other numbers for each peer: the sorted curve that shows how evenly they are spread,
// the cumulative shares, and the ten largest.

const TOP = 10;

/** Columns that any run has, with their units. */
function peerColumns(runs) {
  const columns = new Map();
  for (const run of runs) {
    for (const [name, column] of Object.entries(run.peers?.columns ?? {})) {
      if (!columns.has(name)) {
        columns.set(name, column.unit ?? "1");
      }
    }
  }
  return columns;
}

function peerValues(run, column) {
  return run.peers?.columns?.[column]?.values ?? [];
}

/** A rank plot needs no more points than it has pixels: steps are kept where they matter. */
function rankSeries(run, column) {
  const sorted = peerValues(run, column).filter(isNumber).sort((a, b) => b - a);
  const kept = sorted.map((_, i) => i).filter((i) => sorted.length <= 2000 || i < 200
    || i === sorted.length - 1 || i % Math.ceil(sorted.length / 2000) === 0);
  return { label: run.name, color: run.index, dash: run.index % DASHES.length,
    x: kept.map((i) => i + 1), y: kept.map((i) => sorted[i]) };
}

function rankModel(runs, options) {
  const shown = runs.slice(0, MOST_LINES);
  return { title: `${options.column} by rank`, x: { label: "rank of the peer", unit: "1",
    log: options.isLog }, y: { label: options.column, unit: options.unit, log: options.isLog },
  series: shown.map((run) => rankSeries(run, options.column)) };
}

function peerShareModel(runs, options) {
  const sources = runs.slice(0, MOST_LINES).map((run) => ({ label: run.name, color: run.index,
    buckets: bucketsOf(peerValues(run, options.column)) }));
  const model = shareModel(`${options.column}, CDF over peers`, options.column, options.unit,
    sources, { kind: "cdf", isLogX: options.isLog });
  return { ...model, y: { ...model.y, label: "share of peers up to" } };
}

function topTable(run, options, several) {
  const values = peerValues(run, options.column);
  const order = values.map((_, i) => i).filter((i) => isNumber(values[i]))
    .sort((a, b) => values[b] - values[a]).slice(0, TOP);
  // Only what is counted adds up: a mean or a level has no share.
  const adds = (run.series?.[options.column]?.kind ?? "counter") === "counter";
  const sum = values.reduce((total, value) => total + (isNumber(value) && adds ? value : 0), 0);
  const { seat = [], group = [], lives = [] } = run.peers;
  const rows = order.map((i) => [String(seat[i] ?? i), group[i] ?? null,
    isNumber(lives[i]) ? String(lives[i]) : null, quantity(values[i], options.unit),
    sum > 0 ? percent(values[i] / sum) : null]);
  return table([{ label: "Seat", numeric: true }, { label: "Group" },
    { label: "Lives", numeric: true }, { label: options.column, numeric: true },
    { label: "Share of all", numeric: true }], rows,
  `The ${TOP} largest${several ? `: ${run.name}` : ""}`);
}

function peersSection(data) {
  const runs = data.runs.filter((run) => run.peers);
  const columns = peerColumns(runs);
  if (columns.size === 0) {
    return section("peers", "Traffic per peer", note("No numbers were recorded for each peer."));
  }
  const column = columns.has("messages/sent") ? "messages/sent" : columns.keys().next().value;
  const unit = columns.get(column);
  const options = { column, unit, isLog: false };
  const shown = [new Chart(() => rankModel(runs, options), { height: 230 }),
    new Chart(() => peerShareModel(runs, options), { height: 230 })];
  const tops = element("div", {});
  const refresh = () => {
    shown.forEach((chart) => chart.refresh());
    tops.replaceChildren(...runs.slice(0, MOST_LINES).map((run) =>
      topTable(run, options, runs.length > 1)));
  };
  const bar = element("div", { class: "controls" },
    choice("Column", [...columns.keys()].map((name) => [name, name]), column, (name) => {
      options.column = name;
      options.unit = columns.get(name);
      refresh();
    }),
    toggle("Log axes", false, (isLog) => {
      options.isLog = isLog;
      refresh();
    }));
  refresh();
  return section("peers", "Traffic per peer", bar,
    element("div", { class: "charts" }, shown.map((chart) => chart.node), tops),
    limitNote(runs.length, "run") ?? "");
}
