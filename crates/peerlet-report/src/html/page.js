// Puts the page together: the header with the verdict and the theme's switch, the navigation, the
// sections, and what printing needs. It comes last.

function themeSwitch() {
  const label = () => (theme.name === "dark" ? "Light" : "Dark");
  const node = button(label(), () => theme.choose(theme.name === "dark" ? "light" : "dark"),
    { class: "theme", "aria-label": "Switch between light and dark" });
  theme.listeners.add(() => {
    node.textContent = label();
  });
  controls.push({ kind: "toggle", node: themeProxy() });
  return node;
}

/** The self check presses the theme's switch like any other. */
function themeProxy() {
  const proxy = element("input", { type: "checkbox" });
  proxy.addEventListener("change", () => theme.choose(theme.name === "dark" ? "light" : "dark"));
  return proxy;
}

function header(data) {
  const { runs } = data;
  const madeBy = data.made_by ? `Made by ${data.made_by}` : "";
  return element("header", { class: "top" },
    element("div", { class: "title-row" }, element("h1", {}, data.title), themeSwitch()),
    element("div", { class: "headline" }, headline(data)), warningList(runs),
    runs.length === 1 ? runFacts(runs[0]) : null, runs.length > 1 ? runsTable(runs) : null,
    element("p", { class: "made-by" }, madeBy));
}

function navigation(sections) {
  return element("nav", { "aria-label": "Sections" }, sections.map((one) =>
    element("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)));
}

function sectionsOf(data) {
  if (data.runs.length === 0) {
    return data.sweep ? [sweepSection(data)] : [];
  }
  return [repeatSection(data), verdictsSection(data), ...(data.sweep ? [sweepSection(data)] : []),
    seriesSection(data), distributionsSection(data), messagesSection(data), peersSection(data),
    overlaySection(data)];
}

/** Print shows everything, in light colors, and each plot as its SVG. */
const printing = {
  opened: [],
  begin() {
    if (theme.printing) {
      return;
    }
    theme.printing = true;
    this.opened = [...document.querySelectorAll("details:not([open])")];
    openAll();
    theme.apply();
    charts.forEach((chart) => chart.putOnPaper());
    overlays.forEach((overlay) => overlay.putOnPaper());
  },
  end() {
    if (!theme.printing) {
      return;
    }
    theme.printing = false;
    this.opened.forEach((details) => {
      details.open = false;
    });
    charts.forEach((chart) => chart.paper.replaceChildren());
    theme.apply();
  },
};

function listenForPrint() {
  window.addEventListener("beforeprint", () => printing.begin());
  window.addEventListener("afterprint", () => printing.end());
  window.matchMedia("print").addEventListener("change", (query) =>
    (query.matches ? printing.begin() : printing.end()));
}

function buildPage() {
  const data = readData();
  theme.apply();
  const sections = sectionsOf(data);
  const main = element("main", { id: "main" }, sections);
  document.getElementById("page").replaceChildren(header(data), navigation(sections), main);
  listenForPrint();
  requestAnimationFrame(() => {
    document.documentElement.dataset.ready = "true";
  });
}

async function runHash() {
  if (window.location.hash === "#check") {
    await checkPage();
  } else if (window.location.hash === "#bench") {
    await benchPage();
  }
}

buildPage();
runHash();
