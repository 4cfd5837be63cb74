// What a plot shows, apart from how it is drawn: uPlot on the page and the SVG of a download take
// the same model and the same ranges. A model has
// `title`, `x` and `y` (`{label, unit, log, min, max, ticks}`), `marks` (`{x, text}`) and `series`
// (`{label, color, x, y, low, high, spread: "band" | "bars", style: "line" | "step" | "points"}`).

/** A log axis cannot show values up to zero: they become gaps. */
function forAxis(values, axis) {
  return axis.log ? values.map((value) => (isNumber(value) && value > 0 ? value : null)) : values;
}

/** The model with values that its axes can show, and without series that have none. */
function drawable(model) {
  const series = [];
  for (const one of model.series) {
    const y = forAxis(one.y.map((value) => (isNumber(value) ? value : null)), model.y);
    const spread = one.low ? {
      low: forAxis(one.low.map((value) => (isNumber(value) ? value : null)), model.y),
      high: forAxis(one.high.map((value) => (isNumber(value) ? value : null)), model.y),
    } : {};
    const kept = one.x.map((value, i) => i)
      .filter((i) => isNumber(one.x[i]) && (!model.x.log || one.x[i] > 0));
    const pick = (values) => kept.map((i) => values[i]);
    const shown = { ...one, x: pick(one.x), y: pick(y) };
    if (spread.low) {
      shown.low = pick(spread.low);
      shown.high = pick(spread.high);
    }
    if (shown.y.some((value) => value !== null)) {
      series.push(shown);
    }
  }
  return { ...model, series };
}

/** The smallest and the largest of lists of values; null without any. */
function extentOf(lists) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (const value of list) {
      if (isNumber(value)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
  }
  return low <= high ? [low, high] : null;
}

/** The range of an axis around its values, wide enough for a single value. */
function paddedRange(low, high, axis, isY) {
  if (!isNumber(low) || !isNumber(high)) {
    return axis.log ? [0.1, 10] : [0, 1];
  }
  if (axis.log) {
    const pad = low === high ? 3 : (high / low) ** (isY ? 0.04 : 0.01);
    return [low / pad, high * pad];
  }
  if (low === high) {
    const pad = Math.abs(low) * 0.5 || 1;
    return low >= 0 && isY ? [0, low * 1.25 || 1] : [low - pad, high + pad];
  }
  if (!isY) {
    return [low, high];
  }
  const pad = (high - low) * 0.06;
  // An axis that nearly reaches zero starts there, so that heights can be compared.
  const from = low >= 0 && low - pad < high * 0.35 ? 0 : low - pad;
  const to = high <= 0 && high + pad > low * 0.35 ? 0 : high + pad;
  return [axis.min ?? from, axis.max ?? to];
}

/** The ranges of both axes over all series; `zoom` is a range of x. */
function rangesOf(model, zoom = null) {
  const xs = extentOf(model.series.map((one) => one.x));
  const x = zoom ?? paddedRange(model.x.min ?? xs?.[0], model.x.max ?? xs?.[1], model.x, false);
  const lists = model.series.flatMap((one) => [one.y, one.low ?? [], one.high ?? []]
    .map((list) => list.filter((_, i) => one.x[i] >= x[0] && one.x[i] <= x[1])));
  const ys = extentOf(lists);
  return { x, y: paddedRange(ys?.[0], ys?.[1], model.y, true) };
}

/** The scale (SI prefix) of an axis, by its largest value. */
function axisScale(model, which) {
  const lists = which === "x" ? model.series.map((one) => one.x)
    : model.series.flatMap((one) => [one.y, one.high ?? []]);
  const extent = extentOf(lists);
  const largest = extent ? Math.max(Math.abs(extent[0]), Math.abs(extent[1])) : 0;
  if (which === "x" && model.x.isTime) {
    return { factor: 1, suffix: "s" };
  }
  return scaleFor(largest, model[which].unit);
}

/** The label of an axis with its unit: "time (s)". */
function axisLabel(axis, scale, label = axis.label) {
  const unit = scale.suffix.startsWith("/") ? `1${scale.suffix}` : scale.suffix;
  return `${label ?? ""}${unit === "" ? "" : ` (${unit})`}`;
}

/** Ticks in the unit of the data; round in the unit that is shown. */
function ticksOf(low, high, axis, scale, wanted) {
  if (axis.ticks) {
    return axis.ticks.map((tick) => tick.at).filter((at) => at >= low && at <= high);
  }
  const { factor } = scale;
  const make = axis.log ? logTicks : linearTicks;
  return make(low * factor, high * factor, wanted).map((tick) => tick / factor);
}

function textOfTick(value, axis, scale) {
  const named = axis.ticks?.find((tick) => tick.at === value);
  return named ? named.text : tickText(value, scale);
}

/** The plotted values as CSV, one row a point. */
function csvOf(model) {
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cell = (value) => (value === null || value === undefined ? "" : String(value));
  const unit = (axis) => (unitLabel(axis.unit) ? ` (${unitLabel(axis.unit)})` : "");
  const head = ["series", `${model.x.label ?? "x"}${unit(model.x)}`,
    `${model.y.label ?? "y"}${unit(model.y)}`, "low", "high"];
  const rows = model.series.flatMap((one) => one.x.map((x, i) =>
    [one.label, cell(x), cell(one.y[i]), cell(one.low?.[i]), cell(one.high?.[i])]));
  return [head, ...rows].map((row) => row.map(quote).join(",")).join("\n").concat("\n");
}
