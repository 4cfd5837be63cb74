// How numbers are written: with units and SI prefixes, a few significant digits, and grouped
// digits for counts. Axes take one prefix for all of their ticks.

const MISSING = "–";

const SECONDS = [[1e-9, "ns"], [1e-6, "µs"], [1e-3, "ms"], [1, "s"]];
const BYTES = [[1, "B"], [1e3, "kB"], [1e6, "MB"], [1e9, "GB"], [1e12, "TB"]];
const PLAIN = [[1, ""], [1e6, "×10⁶"], [1e9, "×10⁹"], [1e12, "×10¹²"]];

/** Units that take prefixes: the scales, and how many of the scales' units one of them is. */
const PREFIXED = {
  s: { scales: SECONDS, factor: 1 },
  ms: { scales: SECONDS, factor: 1e-3 },
  us: { scales: SECONDS, factor: 1e-6 },
  ns: { scales: SECONDS, factor: 1e-9 },
  bytes: { scales: BYTES, factor: 1 },
  B: { scales: BYTES, factor: 1 },
  By: { scales: BYTES, factor: 1 },
  1: { scales: PLAIN, factor: 1 },
  "": { scales: PLAIN, factor: 1 },
};

/** A unit with its rate: "bytes/s" is bytes with "/s" behind. */
function splitUnit(unit) {
  const text = unit ?? "1";
  const rate = text.endsWith("/s") ? "/s" : "";
  return { base: rate ? text.slice(0, -2) : text, rate };
}

/**
 * The scale of an axis or a value: `{factor, suffix}`, so that a value times the factor is to be
 * written with the suffix.
 */
function scaleFor(largest, unit) {
  const { base, rate } = splitUnit(unit);
  const known = PREFIXED[base];
  if (!known) {
    return { factor: 1, suffix: base + rate };
  }
  const size = Math.abs(largest) * known.factor;
  let [step, name] = known.scales[0];
  for (const [candidate, candidateName] of known.scales) {
    if (size >= candidate * 0.9995) {
      [step, name] = [candidate, candidateName];
    }
  }
  if (size === 0 || !Number.isFinite(size)) {
    [step, name] = known.scales.find(([candidate]) => candidate === 1);
  }
  return { factor: known.factor / step, suffix: name + rate };
}

function isPlain(unit) {
  const { base } = splitUnit(unit);
  return base === "1" || base === "";
}

/** The unit in words for a label: nothing for plain numbers. */
function unitLabel(unit) {
  const { base, rate } = splitUnit(unit);
  if (base === "1" || base === "") {
    return rate ? "1/s" : "";
  }
  return base + rate;
}

/** A number with a few significant digits and no trailing zeros. */
function digits(value, significant = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return MISSING;
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? "∞" : "−∞";
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) {
    return value.toExponential(Math.max(0, significant - 2)).replace("-", "−");
  }
  const rounded = Number(value.toPrecision(significant));
  const whole = Math.abs(rounded) >= 1e4 || Number.isInteger(rounded);
  const shown = whole ? grouped(Math.round(value)) : String(rounded);
  return shown.replace("-", "−");
}

/** A whole number with thin spaces between groups of digits. */
function grouped(value) {
  if (value === null || value === undefined) {
    return MISSING;
  }
  const [whole, fraction] = String(value).split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
  return fraction ? `${spaced}.${fraction}` : spaced;
}

/** A value with its unit, by the prefix that fits. */
function quantity(value, unit, significant = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return MISSING;
  }
  if (isPlain(unit) && Math.abs(value) < 1e9) {
    return digits(value, significant) + splitUnit(unit).rate;
  }
  const { factor, suffix } = scaleFor(value, unit);
  const text = digits(value * factor, significant);
  // "12 k", but "12/s": a space belongs before a name alone.
  return suffix === "" ? text : `${text}${suffix.startsWith("/") ? "" : "\u00a0"}${suffix}`;
}

function seconds(value) {
  return value === null || value === undefined ? MISSING : `${digits(value, 6)}\u00a0s`;
}

function percent(share) {
  return `${digits(share * 100, 3)}\u00a0%`;
}

function plural(count, noun, more = `${noun}s`) {
  return `${grouped(count)} ${count === 1 ? noun : more}`;
}

/** Ticks at round values on a linear axis. */
function linearTicks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  if (!(rough > 0) || !Number.isFinite(rough)) {
    return [low];
  }
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((nice) => nice * power >= rough * 0.999) * power;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

/** Ticks at powers of ten, thinned where there are many, with 2 and 5 where there are few. */
function logTicks(low, high, wanted) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const steps = last - first <= 2 ? [1, 2, 5] : [1];
  const skip = Math.max(1, Math.ceil((last - first) / Math.max(2, wanted)));
  const ticks = [];
  // From a multiple of the step on, so that 1 has a tick where it is in range.
  for (let power = Math.ceil(first / skip) * skip; power <= last; power += skip) {
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(12));
      if (tick >= low * 0.9999 && tick <= high * 1.0001) {
        ticks.push(tick);
      }
    }
  }
  return ticks.length > 0 ? ticks : [low, high];
}

/** The text of a tick. */
function tickText(value, scale) {
  return digits(value * scale.factor, 6);
}
