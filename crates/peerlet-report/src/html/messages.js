// Messages over time, by fate and by cause of loss, with the table of totals.

const FATES = [["sent", 0], ["delivered", 2]];

/** The causes that dropped anything, the most frequent first. */
function causesOf(run) {
  const total = (counts) => counts.reduce((sum, count) => sum + (count ?? 0), 0);
  return Object.entries(run.traffic?.dropped ?? {}).map(([cause, counts]) =>
    ({ cause, counts, total: total(counts ?? []) }))
    .filter((one) => one.total > 0).sort((a, b) => b.total - a.total);
}

function messageRate(run, counts) {
  return rateCurve(run, { sum: counts ?? [] });
}

function fateSeries(runs, options) {
  const having = runs.filter((run) => run.traffic);
  if (runs.length === 1) {
    const [run] = having;
    return FATES.map(([name, color], i) => ({ label: name, color, dash: i,
      ...messageRate(run, run.traffic[name]) }));
  }
  return FATES.flatMap(([name], i) => overlaid(having, options.mode,
    (run) => messageRate(run, run.traffic[name]))
    .map((one) => ({ ...one, label: `${one.label}, ${name}`, dash: i })));
}

/** The causes of one run as lines, or stacked so that the topmost is the sum. */
function causeSeries(run, options) {
  // The table of totals has the rarer causes as well.
  const causes = causesOf(run).slice(0, MOST_LINES);
  let below = null;
  return causes.map(({ cause, counts }, color) => {
    const { x, y } = messageRate(run, counts);
    if (!options.isStacked) {
      return { label: cause, color, x, y };
    }
    const low = below ?? y.map(() => 0);
    const top = y.map((value, i) => (value ?? 0) + low[i]);
    below = top;
    return { label: cause, color, dash: 0, x, y: top, low, high: top };
  });
}

function dropSeries(runs, options) {
  const having = runs.filter((run) => run.traffic);
  if (runs.length === 1) {
    return causeSeries(having[0], options);
  }
  return overlaid(having, options.mode, (run) => {
    const lists = causesOf(run).map((one) => one.counts);
    const sums = run.epochs.from.map((_, i) =>
      lists.reduce((sum, counts) => sum + (counts[i] ?? 0), 0));
    return messageRate(run, sums);
  });
}

function rateModel(runs, title, label, unit, series, options) {
  return { title, x: timeAxis(runs),
    y: { label, unit, log: options.isLog }, marks: options.marks, series };
}

function totalsTable(runs) {
  const accounts = runs.map((run) => run.summary.messages ?? {});
  const fields = ["sent", "duplicated", "delivered", "in_flight", "unaccounted"]
    .filter((field) => accounts.some((account) => isNumber(account[field])));
  const causes = [...new Set(accounts.flatMap((account) =>
    Object.entries(account.dropped ?? {}).filter(([, count]) => count > 0)
      .map(([cause]) => cause)))];
  const several = runs.length > 1;
  const columns = [{ label: "Messages" }, ...runs.flatMap((run) =>
    [{ label: several ? run.name : "Count", numeric: true },
      { label: several ? "of sent" : "Share of sent", numeric: true }])];
  const row = (name, valueOf) => [name, ...accounts.flatMap((account) => {
    const value = valueOf(account);
    return [isNumber(value) ? grouped(value) : null,
      isNumber(value) && account.sent > 0 ? percent(value / account.sent) : null];
  })];
  const rows = [...fields.map((field) => row(field.replace("_", " "), (one) => one[field])),
    ...causes.map((cause) => row(`dropped: ${cause}`, (one) => one.dropped?.[cause] ?? 0))];
  rows.push(["bytes", ...accounts.flatMap((one) => [quantity(one.bytes, "bytes"), ""])]);
  return table(columns, rows, "Totals over the whole run");
}

function messagesSection(data) {
  const { runs } = data;
  const having = runs.filter((run) => run.traffic);
  const hasAccounts = runs.some((run) => run.summary.messages);
  const totals = hasAccounts ? totalsTable(runs.slice(0, MOST_LINES)) : null;
  if (having.length === 0) {
    return section("messages", "Messages", totals ?? note("No messages were counted."),
      ...(totals ? [note("Messages over time were not recorded.")] : []));
  }
  const options = { isLog: false, isStacked: false, marks: eventMarks(runs),
    mode: isMeanDefault(runs) ? "mean" : "lines" };
  const make = (title, label, unit, seriesOf) => new Chart(() =>
    rateModel(runs, title, label, unit, seriesOf(), options),
  { zoom: timeZoom, syncKey: "messages", height: 230 });
  const shown = [
    make("Messages sent and delivered", "messages", "1/s", () => fateSeries(runs, options)),
    make(runs.length === 1 ? "Messages dropped, by cause" : "Messages dropped", "messages", "1/s",
      () => dropSeries(runs, options)),
    make("Bytes sent", "bytes", "bytes/s", () => overlaid(having, options.mode,
      (run) => messageRate(run, run.traffic.bytes))
      .map((one) => (runs.length === 1 ? { ...one, label: "bytes" } : one))),
  ];
  const refresh = () => shown.forEach((chart) => chart.refresh());
  const bar = element("div", { class: "controls" }, modeChoice(runs, options, refresh),
    runs.length === 1 ? toggle("Stack the causes", false, (isStacked) => {
      options.isStacked = isStacked;
      refresh();
    }) : null,
    toggle("Log y", false, (isLog) => {
      options.isLog = isLog;
      refresh();
    }));
  return section("messages", "Messages", bar,
    element("div", { class: "charts" }, shown.map((chart) => chart.node)), totals ?? "",
    hasAccounts ? limitNote(runs.length, "run") ?? "" : "");
}
