// The page's own check, for tests: with `#check` in the address it opens and uses everything once
// and writes what it counted into the root's data attributes; with `#bench` it measures how many
// frames a second the overlay draws while its slider moves.

const MOST_CHECKED_FRAMES = 200;
const BENCH_MILLISECONDS = 5000;

const pause = () => new Promise((resolve) => {
  setTimeout(resolve, 0);
});

function openAll() {
  // What opens may hold more to open.
  for (let round = 0; round < 4; round += 1) {
    document.querySelectorAll("details").forEach((details) => {
      details.open = true;
      details.ensureContent?.();
    });
  }
}

function makeAllCharts() {
  charts.forEach((chart) => chart.make());
}

/** Uses each switch twice and each select with every option, back to where they were. */
async function useControls() {
  for (const { kind, node } of [...controls]) {
    if (kind === "toggle") {
      for (let press = 0; press < 2; press += 1) {
        node.checked = !node.checked;
        node.dispatchEvent(new Event("change"));
      }
    } else {
      const before = node.value;
      for (const option of [...node.options].slice(0, 12).map((one) => one.value)) {
        node.value = option;
        node.dispatchEvent(new Event("change"));
        await pause();
      }
      node.value = before;
      node.dispatchEvent(new Event("change"));
    }
  }
}

function isWellFormed(svg) {
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  return parsed.querySelector("parsererror") === null
    && parsed.documentElement.localName === "svg";
}

async function checkOverlays() {
  let frames = 0;
  for (const overlay of overlays) {
    overlay.start();
    frames += await overlay.checkFrames(MOST_CHECKED_FRAMES, pause);
    await overlay.checkLayouts(pause);
  }
  return frames;
}

async function checkPage() {
  const { dataset } = document.documentElement;
  openAll();
  makeAllCharts();
  await pause();
  const frames = await checkOverlays();
  await useControls();
  openAll();
  makeAllCharts();
  let wellFormed = 0;
  for (const drawing of [...charts, ...overlays]) {
    wellFormed += isWellFormed(drawing.svg()) ? 1 : 0;
    await pause();
  }
  dataset.charts = String(charts.length);
  dataset.frames = String(frames);
  dataset.svgs = String(wellFormed);
  dataset.checked = "true";
}

async function benchPage() {
  const { dataset } = document.documentElement;
  const [overlay] = overlays;
  const durations = [];
  if (overlay) {
    overlay.node.scrollIntoView();
    overlay.start();
    await overlay.settled();
    await measureFrames(overlay, durations);
  }
  durations.sort((a, b) => a - b);
  const at = (share) => durations[Math.min(durations.length - 1,
    Math.floor(durations.length * share))];
  dataset.fps = durations.length > 0 ? (1000 / at(0.5)).toFixed(1) : "0";
  dataset.fpsLow = durations.length > 0 ? (1000 / at(0.95)).toFixed(1) : "0";
}

/** Moves the slider on by a frame at each animation frame, there and back. */
function measureFrames(overlay, durations) {
  const last = Math.max(1, overlay.frameCount - 1);
  return new Promise((resolve) => {
    let [count, start, before] = [0, null, null];
    const step = (now) => {
      start ??= now;
      if (before !== null) {
        durations.push(now - before);
      }
      before = now;
      const place = count % (2 * last);
      overlay.timeline.drag(place <= last ? place : 2 * last - place);
      count += 1;
      if (now - start < BENCH_MILLISECONDS) {
        requestAnimationFrame(step);
      } else {
        resolve();
      }
    };
    requestAnimationFrame(step);
  });
}
