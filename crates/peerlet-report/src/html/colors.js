// The colors of the page: the Okabe-Ito palette for series and groups, a sequential scale for
// numbers, and which theme is on. Plots that are saved or printed always take the light colors.

const PALETTE = {
  light: ["#0072b2", "#d55e00", "#009e73", "#b5659a", "#b98300", "#2b8cbe", "#222222", "#8a7f00"],
  dark: ["#56b4e9", "#ff8c3a", "#2fcb9f", "#dd9bc5", "#f0b93a", "#a3d5f5", "#e8e8e8", "#f0e442"],
};

/** Colors with a fixed meaning. */
const NAMED = {
  light: { good: "#00785a", bad: "#c24a00", muted: "#8a929c", text: "#1d232b", faint: "#dfe3e8",
    surface: "#ffffff", mark: "#7a828c", select: "#111111" },
  dark: { good: "#2fcb9f", bad: "#ff8c3a", muted: "#7d8793", text: "#e6e9ed", faint: "#2e353e",
    surface: "#171b21", mark: "#98a2ae", select: "#ffffff" },
};

/** Viridis, from few to many. */
const VIRIDIS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779",
  "#6ece58", "#b5de2b", "#fde725"];

/** Dashes that tell series apart without their colors, from the second on. */
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3], [12, 4], [4, 2, 1, 2], [1, 2],
  [8, 2, 2, 2, 2, 2]];

const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

const theme = {
  /** "light", "dark", or null for the system's. */
  chosen: null,
  printing: false,
  listeners: new Set(),
  get name() {
    if (this.printing) {
      return "light";
    }
    return this.chosen ?? (systemDark.matches ? "dark" : "light");
  },
  choose(name) {
    this.chosen = name;
    this.apply();
  },
  apply() {
    document.documentElement.dataset.theme = this.name;
    this.listeners.forEach((listener) => listener());
  },
};

systemDark.addEventListener("change", () => theme.apply());

/** The color of a palette number or of a name, in a theme. */
function colorOf(key, themeName = theme.name) {
  if (typeof key === "number") {
    const palette = PALETTE[themeName];
    return palette[key % palette.length];
  }
  return NAMED[themeName][key] ?? key;
}

function channels(hex) {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function withAlpha(hex, alpha) {
  const [red, green, blue] = channels(hex);
  return `rgba(${red},${green},${blue},${alpha})`;
}

/** A color for a share from 0 to 1, dark to bright; the ends that vanish are cut off. */
function sequential(share, themeName = theme.name) {
  const [from, to] = themeName === "dark" ? [0.25, 1] : [0, 0.88];
  const last = VIRIDIS.length - 1;
  const at = (from + (to - from) * Math.min(1, Math.max(0, share))) * last;
  const index = Math.min(last - 1, Math.floor(at));
  const [a, b] = [channels(VIRIDIS[index]), channels(VIRIDIS[index + 1])];
  const mixed = a.map((value, i) => Math.round(value + (b[i] - value) * (at - index)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
