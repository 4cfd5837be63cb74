// The colors of nodes: by group, degree, component or age, as one of a few bins for each seat, and
// the legend of them. Drawing goes through the nodes bin by bin.

const COLOR_BINS = 12;
const MUTED_BIN = 255;

const COLORINGS = [["group", "Group"], ["degree", "Degree"], ["component", "Component"],
  ["age", "Age"], ["none", "One color"]];

/** The names of groups, the most frequent first; beyond the palette they share a color. */
function groupNames(graph) {
  const counts = new Map();
  for (const name of graph.graph.groups ?? []) {
    if (name !== null && name !== undefined) {
      counts.set(String(name), (counts.get(String(name)) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}

/** Bins by a number of each present seat, from 0 to the largest. */
function binByNumber(graph, bins, numberOf) {
  let largest = 0;
  const numbers = new Float64Array(graph.seats);
  for (let seat = 0; seat < graph.seats; seat += 1) {
    numbers[seat] = graph.present[seat] === 1 ? numberOf(seat) : 0;
    largest = Math.max(largest, numbers[seat]);
  }
  for (let seat = 0; seat < graph.seats; seat += 1) {
    bins[seat] = largest > 0
      ? Math.min(COLOR_BINS - 1, Math.floor((numbers[seat] / largest) * COLOR_BINS)) : 0;
  }
  const share = (bin) => bin / (COLOR_BINS - 1);
  return { colorOf: (bin, themeName) => sequential(share(bin), themeName), largest };
}

function binByGroup(graph, bins, names) {
  const most = PALETTE.light.length;
  const order = new Map(names.map((name, i) => [name, i < most ? i : MUTED_BIN]));
  const groups = graph.graph.groups ?? [];
  for (let seat = 0; seat < graph.seats; seat += 1) {
    bins[seat] = order.get(String(groups[seat])) ?? MUTED_BIN;
  }
  const entries = names.slice(0, most).map((label, bin) => ({ label, bin }));
  if (names.length > most) {
    entries.push({ label: `${names.length - most} other groups`, bin: MUTED_BIN });
  }
  return { entries };
}

/** The largest components have colors of their own. */
function binByComponent(graph, bins) {
  const roots = [];
  graph.sizes.forEach((size, root) => size > 1 && roots.push(root));
  roots.sort((a, b) => graph.sizes[b] - graph.sizes[a]);
  const shown = roots.slice(0, PALETTE.light.length - 1);
  const order = new Map(shown.map((root, i) => [root, i]));
  for (let seat = 0; seat < graph.seats; seat += 1) {
    bins[seat] = order.get(graph.rootOf(seat)) ?? MUTED_BIN;
  }
  const entries = shown.map((root, bin) =>
    ({ label: plural(graph.sizes[root], "peer"), bin }));
  entries.push({ label: "alone, or in a smaller one", bin: MUTED_BIN });
  return { entries };
}

/** Fills `bins` and says how a bin is colored and explained. */
function colorNodes(graph, bins, coloring, names, time) {
  const palette = { colorOf: (bin, themeName) =>
    (bin === MUTED_BIN ? colorOf("muted", themeName) : colorOf(bin, themeName)) };
  if (coloring === "degree") {
    return { ...binByNumber(graph, bins, (seat) => graph.degree[seat]), unit: "1" };
  }
  if (coloring === "age") {
    return { ...binByNumber(graph, bins, (seat) => graph.ageOf(seat, time)), unit: "s" };
  }
  if (coloring === "component") {
    return { ...palette, ...binByComponent(graph, bins) };
  }
  if (coloring === "group" && names.length > 0) {
    return { ...palette, ...binByGroup(graph, bins, names) };
  }
  bins.fill(0);
  return { ...palette, entries: [] };
}

function keyEntry(color, label, shape = "") {
  const dot = element("span", { class: `dot ${shape}`, "aria-hidden": "true" });
  if (shape === "hollow") {
    dot.style.borderColor = color;
  } else {
    dot.style.background = color;
  }
  return element("span", { class: "key" }, dot, label);
}

function nodeLegend(coloring) {
  if (coloring.entries) {
    return coloring.entries.map(({ label, bin }) => keyEntry(coloring.colorOf(bin), label));
  }
  const bar = element("div", { class: "scale", "aria-hidden": "true" });
  const stops = Array.from({ length: COLOR_BINS }, (_, bin) => coloring.colorOf(bin));
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return [bar, element("div", { class: "ends" }, element("span", {}, "0"),
    element("span", {}, quantity(coloring.largest, coloring.unit, 3)))];
}
