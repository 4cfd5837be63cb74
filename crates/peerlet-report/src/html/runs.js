// Which runs there are and how plots show them: a line a run, or the mean over the runs of one
// scenario with its 95 % interval. Missing fields become empty ones here, in one place.

const MOST_LINES = 8;

function readData() {
  const text = document.getElementById("data")?.textContent ?? "{}";
  const data = JSON.parse(text);
  const runs = (data.runs ?? []).map((run, index) => ({
    ...run,
    index,
    name: String(run.name ?? `run ${index + 1}`),
    summary: run.summary ?? {},
    epochs: { from: run.epochs?.from ?? [], to: run.epochs?.to ?? [] },
    series: run.series ?? {},
    distributions: run.distributions ?? {},
    graphs: run.graphs ?? [],
    events: run.events ?? [],
  }));
  return { ...data, title: String(data.title ?? "Peerlet report"), runs };
}

function scenarioOf(run) {
  return String(run.summary.scenario ?? "");
}

/** The runs by scenario title, in order. */
function runGroups(runs) {
  const groups = new Map();
  for (const run of runs) {
    const title = scenarioOf(run);
    groups.set(title, [...(groups.get(title) ?? []), run]);
  }
  return [...groups].map(([title, members], index) => ({ title: title || "runs", members, index }));
}

/** Says what is left out where there are more than plots and tables show. */
function limitNote(count, noun, most = MOST_LINES) {
  return count > most ? note(`Only the first ${most} of ${plural(count, noun)} are shown.`, "hint")
    : null;
}

function isMeanDefault(runs) {
  const groups = runGroups(runs);
  return runs.length > MOST_LINES || (groups.length === 1 && runs.length >= 3);
}

/** The middles and the lengths of a run's epochs. */
function epochTimes(run) {
  const { from, to } = run.epochs;
  return {
    middles: from.map((start, i) => (start + to[i]) / 2),
    lengths: from.map((start, i) => to[i] - start),
  };
}

/** The axis of time over all epochs of the runs. */
function timeAxis(runs) {
  const span = extentOf(runs.flatMap((run) => [run.epochs.from, run.epochs.to]));
  return { label: "time", unit: "s", isTime: true, min: span?.[0], max: span?.[1] };
}

/** The mean over runs at each x that they share; `curves` are `{x, y}`. */
function meanCurve(curves) {
  const at = new Map();
  for (const { x, y } of curves) {
    x.forEach((value, i) => {
      if (isNumber(y[i])) {
        const key = Number(value.toPrecision(12));
        at.set(key, [...(at.get(key) ?? []), y[i]]);
      }
    });
  }
  const x = [...at.keys()].sort((a, b) => a - b);
  const intervals = x.map((key) => meanInterval(at.get(key)));
  return { x, y: intervals.map((one) => one.mean), low: intervals.map((one) => one.low),
    high: intervals.map((one) => one.high) };
}

/**
 * The series of a plot over all runs. `curveOf(run)` gives `{x, y, low, high}` or null; in the
 * mode "mean" the runs of each scenario become one line.
 */
function overlaid(runs, mode, curveOf) {
  if (mode === "mean") {
    return runGroups(runs).slice(0, MOST_LINES).flatMap((group) => {
      const curves = group.members.map(curveOf).filter(Boolean);
      const label = `${group.title}: mean of ${curves.length}, 95 % interval`;
      return curves.length === 0 ? []
        : [{ label, color: group.index, dash: group.index % DASHES.length, ...meanCurve(curves) }];
    });
  }
  return runs.slice(0, MOST_LINES).flatMap((run) => {
    const curve = curveOf(run);
    const dash = run.index % DASHES.length;
    return curve ? [{ label: run.name, color: run.index, dash, ...curve }] : [];
  });
}

/** Names of metrics over all runs, sorted, as `[peerlet, names]`. */
function metricGroups(runs, field) {
  const names = new Set(runs.flatMap((run) => Object.keys(run[field])));
  const groups = new Map();
  for (const name of [...names].sort()) {
    const peerlet = name.includes("/") ? name.slice(0, name.indexOf("/")) : "other";
    groups.set(peerlet, [...(groups.get(peerlet) ?? []), name]);
  }
  return [...groups];
}

/** The events of all runs as marks; the same event of several runs once. */
function eventMarks(runs) {
  const marks = new Map();
  for (const run of runs) {
    for (const event of run.events) {
      if (isNumber(event.time)) {
        marks.set(`${event.time} ${event.text}`, { x: event.time, text: String(event.text) });
      }
    }
  }
  return [...marks.values()].sort((a, b) => a.x - b.x);
}
