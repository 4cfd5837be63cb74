// Draws a plot's model as an SVG text, fit for a paper: white background, light colors, axes with
// ticks and labels, a legend. Downloads and prints are made of it.

const SVG_SIZE = { width: 640, height: 400 };
const SVG_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif";
const SVG_TEXT = 13;

/** Characters that XML does not allow are replaced. */
function escapeXml(text) {
  return String(text)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function shortened(text, length) {
  const letters = [...String(text)];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : String(text);
}

const coordinate = (value) => String(Math.round(value * 100) / 100);

/** From values to coordinates on an axis. */
function projection([low, high], [from, to], isLog) {
  const of = isLog ? Math.log : (value) => value;
  const span = of(high) - of(low) || 1;
  return (value) => from + ((of(value) - of(low)) / span) * (to - from);
}

/** The runs of points without gaps, as lists of indexes. */
function unbroken(values) {
  const runs = [];
  let run = [];
  values.forEach((value, i) => {
    if (isNumber(value)) {
      run.push(i);
    } else if (run.length > 0) {
      runs.push(run);
      run = [];
    }
  });
  return run.length > 0 ? [...runs, run] : runs;
}

function linePath(one, run, px, py) {
  let path = "";
  run.forEach((i, at) => {
    const [x, y] = [coordinate(px(one.x[i])), coordinate(py(one.y[i]))];
    if (at === 0) {
      path += `M${x} ${y}`;
    } else {
      path += one.style === "step" ? `H${x}V${y}` : `L${x} ${y}`;
    }
  });
  return path;
}

function svgSpread(one, color, px, py) {
  if (!one.low) {
    return "";
  }
  if (one.spread === "bars") {
    return one.x.map((x, i) => {
      if (!isNumber(one.low[i]) || !isNumber(one.high[i])) {
        return "";
      }
      const [at, low, high] = [px(x), py(one.low[i]), py(one.high[i])].map(coordinate);
      return `<path d="M${at} ${low}V${high}M${at - 4} ${low}h8M${at - 4} ${high}h8" fill="none" `
        + `stroke="${color}" stroke-width="1.2"/>`;
    }).join("");
  }
  return unbroken(one.low.map((value, i) => (isNumber(one.high[i]) ? value : null))).map((run) => {
    const upper = run.map((i) => `${coordinate(px(one.x[i]))} ${coordinate(py(one.high[i]))}`);
    const lower = run.map((i) => `${coordinate(px(one.x[i]))} ${coordinate(py(one.low[i]))}`);
    return `<path d="M${[...upper, ...lower.reverse()].join("L")}Z" fill="${color}" `
      + `fill-opacity="0.18"/>`;
  }).join("");
}

function svgSeries(one, order, px, py) {
  const color = colorOf(one.color, "light");
  const dash = dashOf(one, order).join(" ");
  const stroke = `stroke="${color}" stroke-width="1.8" stroke-linejoin="round"`
    + (dash ? ` stroke-dasharray="${dash}"` : "");
  const circle = (i) => `<circle cx="${coordinate(px(one.x[i]))}" cy="${coordinate(py(one.y[i]))}"`
    + ` r="2.6" fill="${color}"/>`;
  const lines = unbroken(one.y).map((run) => {
    const dots = one.style === "points" || run.length === 1 ? run.map(circle).join("") : "";
    return `<path d="${linePath(one, run, px, py)}" fill="none" ${stroke}/>${dots}`;
  });
  return svgSpread(one, color, px, py) + lines.join("");
}

/** Where the plot's area is, below the legend's rows. */
function svgFrame(model, legendRows, yTexts) {
  const longest = Math.max(2, ...yTexts.map((text) => text.length));
  const left = 34 + longest * 7.4;
  const top = 14 + legendRows * 20;
  return { left, top, right: SVG_SIZE.width - 18, bottom: SVG_SIZE.height - 52 };
}

function svgAxes(model, frame, scales, ticks, px, py) {
  const { left, top, right, bottom } = frame;
  const parts = [];
  for (const tick of ticks.y) {
    const y = coordinate(py(tick));
    parts.push(`<path d="M${left} ${y}H${right}" stroke="#e3e6ea"/>`,
      `<path d="M${left} ${y}h-5" stroke="#333"/>`,
      `<text x="${left - 8}" y="${y}" dy="0.35em" text-anchor="end">`
      + `${escapeXml(textOfTick(tick, model.y, scales.y))}</text>`);
  }
  for (const tick of ticks.x) {
    const x = coordinate(px(tick));
    parts.push(`<path d="M${x} ${bottom}v5" stroke="#333"/>`,
      `<text x="${x}" y="${bottom + 19}" text-anchor="middle">`
      + `${escapeXml(shortened(textOfTick(tick, model.x, scales.x), 16))}</text>`);
  }
  parts.push(`<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#333"/>`,
    `<text x="${(left + right) / 2}" y="${bottom + 42}" text-anchor="middle">`
    + `${escapeXml(axisLabel(model.x, scales.x))}</text>`,
    `<text transform="translate(15 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">`
    + `${escapeXml(shortened(axisLabel(model.y, scales.y), 52))}</text>`);
  return parts.join("");
}

function svgMarks(model, frame, range, px) {
  const marks = (model.marks ?? []).filter((mark) => mark.x >= range[0] && mark.x <= range[1]);
  return marks.map((mark) => {
    const x = coordinate(px(mark.x));
    const line = `<path d="M${x} ${frame.top}V${frame.bottom}" stroke="#888" `
      + `stroke-dasharray="3 3"><title>${escapeXml(mark.text)}</title></path>`;
    const text = marks.length <= 6 ? `<text transform="translate(${Number(x) + 11} `
      + `${frame.top + 4}) rotate(90)" font-size="10" fill="#666">`
      + `${escapeXml(shortened(mark.text, 36))}</text>` : "";
    return line + text;
  }).join("");
}

/** The entries of the legend, in rows that fit the width. */
function legendLayout(model) {
  const entries = [];
  let [x, row] = [0, 0];
  model.series.forEach((one, order) => {
    const label = shortened(one.label, 60);
    const width = 40 + label.length * 6.8;
    if (x > 0 && x + width > SVG_SIZE.width - 80) {
      [x, row] = [0, row + 1];
    }
    entries.push({ one, order, label, x, row });
    x += width;
  });
  return { entries, rows: entries.length > 0 ? row + 1 : 0 };
}

function svgLegend(legend, frame) {
  return legend.entries.map(({ one, order, label, x, row }) => {
    const [left, y] = [frame.left + x, 14 + row * 20];
    const dash = dashOf(one, order).join(" ");
    return `<path d="M${left} ${y}h24" stroke="${colorOf(one.color, "light")}" stroke-width="2"`
      + `${dash ? ` stroke-dasharray="${dash}"` : ""}/><text x="${left + 29}" y="${y}" `
      + `dy="0.35em">${escapeXml(label)}</text>`;
  }).join("");
}

let clipCount = 0;

/** The whole SVG of a model; `zoom` is the range of x that is shown. */
function svgOf(model, zoom = null) {
  const shown = drawable(model);
  const ranges = rangesOf(shown, zoom);
  const scales = { x: axisScale(shown, "x"), y: axisScale(shown, "y") };
  const ticks = {
    x: ticksOf(...ranges.x, shown.x, scales.x, 7), y: ticksOf(...ranges.y, shown.y, scales.y, 6),
  };
  const legend = legendLayout(shown);
  const yTexts = ticks.y.map((tick) => textOfTick(tick, shown.y, scales.y));
  const frame = svgFrame(shown, legend.rows, yTexts);
  const px = projection(ranges.x, [frame.left, frame.right], shown.x.log);
  const py = projection(ranges.y, [frame.bottom, frame.top], shown.y.log);
  clipCount += 1;
  const clip = `plot-area-${clipCount}`;
  const area = `<clipPath id="${clip}"><rect x="${frame.left - 8}" y="${frame.top - 2}" `
    + `width="${frame.right - frame.left + 16}" height="${frame.bottom - frame.top + 4}"/></clipPath>`;
  return svgDocument(SVG_SIZE, shown.title, `${area}${svgAxes(shown, frame, scales, ticks, px, py)}`
    + `${svgMarks(shown, frame, ranges.x, px)}<g clip-path="url(#${clip})">`
    + `${shown.series.map((one, order) => svgSeries(one, order, px, py)).join("")}</g>`
    + svgLegend(legend, frame));
}

function svgDocument({ width, height }, title, content) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" `
    + `viewBox="0 0 ${width} ${height}" font-family="${SVG_FONT}" font-size="${SVG_TEXT}" `
    + `fill="#111"><title>${escapeXml(title)}</title>`
    + `<rect width="${width}" height="${height}" fill="#fff"/>${content}</svg>`;
}

/** The SVG as a PNG of twice its size. */
async function pngOf(svg, { width, height }) {
  const image = new Image();
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    image.src = url;
    await image.decode();
    const canvas = element("canvas", { width: width * 2, height: height * 2 });
    canvas.getContext("2d").drawImage(image, 0, 0, width * 2, height * 2);
    return await new Promise((resolve) => {
      canvas.toBlob(resolve, "image/png");
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}
