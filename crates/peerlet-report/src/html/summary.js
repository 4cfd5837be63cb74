// The top of the page: verdicts in words, color and symbol, warnings about partial runs, how to
// repeat them, and the tables of properties and expectations.

const SYMBOLS = { good: "✓", bad: "✗", warn: "!", plain: "–" };

/** A verdict as a badge: its symbol and its words. */
function badge(kind, text) {
  return element("span", { class: `badge ${kind}` },
    element("span", { class: "symbol", "aria-hidden": "true" }, SYMBOLS[kind]), text);
}

function verdictsOf(run) {
  const properties = run.summary.properties ?? [];
  const expectations = run.summary.expectations ?? [];
  return {
    properties, expectations,
    failed: [...properties.filter((one) => one.held === false).map((one) => one.name),
      ...expectations.filter((one) => one.held === false)
        .map((one) => `${one.measure} ${one.bound}`)],
    undecided: properties.filter((one) => one.verdict === "undecided" && one.held !== false),
    never: properties.filter((one) => one.verdict === "never" && one.held !== false),
  };
}

/** The verdict of one run: `{kind, text}`. What a partial or void run kept is not simply good. */
function verdictOf(run) {
  const verdict = checkedVerdict(run);
  const { summary } = run;
  const isPartial = summary.interrupted || (summary.missing ?? []).length > 0
    || (isNumber(summary.coverage) && summary.coverage < 1);
  if (summary.void) {
    return { kind: verdict.kind === "bad" ? "bad" : "warn", text: `Void. ${verdict.text}` };
  }
  return isPartial && verdict.kind !== "bad" ? { kind: "warn", text: `Partial. ${verdict.text}` }
    : verdict;
}

function checkedVerdict(run) {
  const { properties, expectations, failed, undecided, never } = verdictsOf(run);
  if (failed.length > 0) {
    const rest = failed.length > 3 ? ` and ${failed.length - 3} more` : "";
    return { kind: "bad", text: `Failed: ${failed.slice(0, 3).join(", ")}${rest}` };
  }
  if (run.summary.panicked) {
    return { kind: "bad", text: "Ended by a panic" };
  }
  const parts = [];
  const held = properties.length - undecided.length - never.length;
  if (properties.length > 0) {
    const all = held === properties.length && held > 1 ? "All " : "";
    parts.push(all ? `${all}${held} properties held`
      : `${held} of ${plural(properties.length, "property", "properties")} held`);
  }
  if (undecided.length > 0) {
    parts.push(`${undecided.length} undecided`);
  }
  if (never.length > 0) {
    parts.push(`${never.length} never seen to hold`);
  }
  if (expectations.length > 0) {
    parts.push(`${plural(expectations.length, "expectation")} kept`);
  }
  if (parts.length === 0) {
    return { kind: "plain", text: "No properties or expectations were checked" };
  }
  return { kind: undecided.length > 0 ? "warn" : "good", text: parts.join(", ") };
}

/** What a reader must know before reading any number of a run. */
function warningsOf(run) {
  const { summary } = run;
  const warnings = [];
  if (summary.void) {
    const why = (summary.void_because ?? []).join("; ");
    warnings.push(`Void: the machine did not keep up; nothing here describes the network. ${why}`);
  }
  if (summary.panicked) {
    warnings.push(`A panic ended the run: ${summary.panicked}`);
  } else if (summary.interrupted) {
    warnings.push("Interrupted: the run ended before its time, and everything here is partial.");
  }
  if (summary.stopped) {
    warnings.push(`Stopped before its time: ${summary.stopped}`);
  }
  (summary.missing ?? []).forEach((missing) => warnings.push(`Missing: ${missing}`));
  (summary.kept_out ?? []).forEach((process) => warnings.push(`Kept out: ${process}`));
  if (isNumber(summary.coverage) && summary.coverage < 1) {
    warnings.push(`Only ${percent(summary.coverage)} of seat-seconds are covered.`);
  }
  if (summary.share) {
    warnings.push("This is one process's share of several, not the whole network.");
  }
  if (summary.not_judged) {
    warnings.push(`Expectations were not judged: ${summary.not_judged}`);
  }
  return warnings;
}

function warningList(runs) {
  const items = runs.flatMap((run) => warningsOf(run).map((text) =>
    element("li", {}, runs.length > 1 ? `${run.name}: ${text}` : text)));
  return items.length === 0 ? null
    : element("div", { class: "warnings", role: "note" }, badge("warn", "Warnings"),
      element("ul", {}, items));
}

/** The verdict over all runs, in large. */
function headline({ runs, sweep }) {
  const pointCount = sweep?.points?.length ?? 0;
  if (runs.length === 0) {
    return badge("plain", pointCount > 0 ? `A sweep of ${plural(pointCount, "point")}`
      : "This report has no runs");
  }
  const verdicts = runs.map(verdictOf);
  if (runs.length === 1) {
    return badge(verdicts[0].kind, verdicts[0].text);
  }
  const bad = verdicts.filter((one) => one.kind === "bad").length;
  if (bad > 0) {
    const first = runs[verdicts.findIndex((one) => one.kind === "bad")];
    return badge("bad", `${bad} of ${runs.length} runs failed, the first is ${first.name}`);
  }
  const unsure = verdicts.filter((one) => one.kind === "warn").length;
  if (unsure > 0) {
    return badge("warn",
      `No run failed; ${unsure} of ${runs.length} are undecided, partial or void`);
  }
  return verdicts.every((one) => one.kind === "plain")
    ? badge("plain", `${runs.length} runs, nothing was checked`)
    : badge("good", `All ${runs.length} runs are fine`);
}

function fact(name, value) {
  return element("div", { class: "fact" }, element("dt", {}, name), element("dd", {}, value));
}

function runFacts(run) {
  const { summary } = run;
  const messages = summary.messages ?? {};
  const facts = [["World", summary.world], ["Scenario", summary.scenario],
    ["Seed", isNumber(summary.seed) || summary.seed ? String(summary.seed) : null],
    ["Peers", isNumber(summary.peers) ? grouped(summary.peers) : null],
    ["Time", isNumber(summary.virtual_seconds) ? seconds(summary.virtual_seconds) : null],
    ["Messages sent", isNumber(messages.sent) ? grouped(messages.sent) : null],
    ["Delivered", isNumber(messages.delivered) ? grouped(messages.delivered) : null],
    ["Events", isNumber(summary.events) ? grouped(summary.events) : null],
    ["Took", isNumber(summary.wall_seconds) ? quantity(summary.wall_seconds, "s", 3) : null]];
  return element("dl", { class: "facts" },
    facts.filter(([, value]) => value).map(([name, value]) => fact(name, value)));
}

function runsTable(runs) {
  const columns = [{ label: "Run" }, { label: "Scenario" }, { label: "Seed", numeric: true },
    { label: "Peers", numeric: true }, { label: "Time", numeric: true },
    { label: "Sent", numeric: true }, { label: "Verdict" }];
  return table(columns, runs.map((run) => {
    const { summary } = run;
    const verdict = verdictOf(run);
    const warned = warningsOf(run).length > 0 ? badge("warn", "see warnings") : "";
    return [run.name, summary.scenario, String(summary.seed ?? MISSING),
      isNumber(summary.peers) ? grouped(summary.peers) : null, seconds(summary.virtual_seconds),
      isNumber(summary.messages?.sent) ? grouped(summary.messages.sent) : null,
      element("span", {}, badge(verdict.kind, verdict.text), " ", warned)];
  }), "Runs");
}

/** Copies a text; without the clipboard of a secure page, by a selection. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { class: "offscreen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    return isCopied;
  }
}

function codeBox(text) {
  const copy = button("Copy", async () => {
    copy.textContent = (await copyText(text)) ? "Copied" : "Not copied";
    setTimeout(() => {
      copy.textContent = "Copy";
    }, 1500);
  }, { class: "copy", "aria-label": "Copy the command" });
  return element("div", { class: "code" }, element("code", {}, text), copy);
}

function repeatOf(run) {
  const { summary } = run;
  const { version = {} } = summary;
  const facts = [["Seed", summary.seed === undefined ? null : String(summary.seed)],
    ["Digest", summary.digest], ["Payload digest", summary.payload_digest],
    ["Program", version.program], ["Peerlet", version.peerlet], ["Codec", version.codec],
    ["Transport", summary.transport]];
  return [run.repeat ? codeBox(String(run.repeat)) : note("No command repeats this run."),
    element("dl", { class: "facts" },
      facts.filter(([, value]) => value).map(([name, value]) => fact(name, value))),
    run.scenario ? folded("The scenario", () => element("pre", { tabindex: "0" }, run.scenario))
      : null].filter(Boolean);
}

function repeatSection(data) {
  const { runs } = data;
  const parts = runs.length === 1 ? repeatOf(runs[0])
    : runs.map((run, i) => folded(run.name, () => repeatOf(run), i === 0));
  return section("repeat", "How to repeat", ...parts);
}

const VERDICT_KINDS = { held: "good", failed: "bad", never: "plain", undecided: "warn" };

function peersOf(property) {
  const sentences = property.peers ?? [];
  if (sentences.length === 0) {
    return [];
  }
  const states = new Map(property.states ?? []);
  const items = sentences.map(([seat, sentence]) => {
    const state = states.get(seat);
    return element("li", {}, element("b", {}, `Peer ${seat}: `), String(sentence),
      state === undefined ? null : folded("Its state then", () => element("pre", { tabindex: "0" },
        typeof state === "string" ? state : JSON.stringify(state, null, 2))));
  });
  if (property.more > 0) {
    items.push(element("li", {}, `and ${plural(property.more, "more peer")}`));
  }
  return [folded(plural(sentences.length + (property.more ?? 0), "peer"),
    () => element("ul", { class: "peers" }, items), property.held === false)];
}

function propertyRow(property) {
  const kind = property.held === false ? "bad" : VERDICT_KINDS[property.verdict] ?? "plain";
  const time = property.held === false ? property.failed_at : property.held_at;
  const what = element("div", {}, property.message ? element("p", {}, property.message) : null,
    peersOf(property));
  return [property.name, property.kind, badge(kind, String(property.verdict ?? "")),
    isNumber(time) ? seconds(time) : null,
    isNumber(property.checked) ? grouped(property.checked) : null, what];
}

function propertiesTable(properties) {
  const rank = (one) => (one.held === false ? 0 : one.verdict === "undecided" ? 1 : 2);
  return table([{ label: "Property" }, { label: "Kind" }, { label: "Verdict" },
    { label: "At", numeric: true }, { label: "Checked", numeric: true }, { label: "What" }],
  [...properties].sort((a, b) => rank(a) - rank(b)).map(propertyRow), "Properties");
}

function expectationsTable(run, expectations) {
  const unitOf = (measure) => run.summary.measures?.[measure]?.unit ?? "1";
  return table([{ label: "Metric" }, { label: "Bound" }, { label: "Limit", numeric: true },
    { label: "Actual", numeric: true }, { label: "Verdict" }, { label: "Over" },
    { label: "Place" }],
  expectations.map((one) => [one.measure, one.bound, quantity(one.value, unitOf(one.measure)),
    quantity(one.actual, unitOf(one.measure)),
    one.held ? badge("good", "kept") : badge("bad", "missed"), one.over ?? "after the warm-up",
    one.place]), "Expectations");
}

function verdictsSection(data) {
  const parts = data.runs.flatMap((run) => {
    const { properties, expectations, failed } = verdictsOf(run);
    if (properties.length + expectations.length === 0) {
      return [];
    }
    const tables = () => [properties.length > 0 ? propertiesTable(properties) : null,
      expectations.length > 0 ? expectationsTable(run, expectations) : null].filter(Boolean);
    const isOpen = failed.length > 0 || run.index === 0;
    return data.runs.length === 1 ? tables() : [folded(`${run.name}: ${verdictOf(run).text}`,
      tables, isOpen)];
  });
  return section("verdicts", "Properties and expectations", ...(parts.length > 0 ? parts
    : [note("None were checked. A scenario states them with [[expect]] and [[property]].")]));
}
