// The overlay as an SVG text, in the light colors: links as one path a kind, nodes as circles.

const NETWORK_SVG = { width: 720, height: 760 };

function networkLinks(view, at, cell) {
  const { graph } = view;
  const paths = graph.kinds.map(() => []);
  for (let id = 0; id < graph.alive.length; id += 1) {
    const kind = graph.linkKind[id];
    if (graph.alive[id] === 1 && view.isKindShown[kind] === 1) {
      const [from, to] = [graph.linkFrom[id], graph.linkTo[id]];
      paths[kind].push(cell > 0
        ? `M${at.x(to) - cell / 2} ${at.y(from) - cell / 2}h${cell}v${cell}h${-cell}z`
        : `M${at.x(from)} ${at.y(from)}L${at.x(to)} ${at.y(to)}`);
    }
  }
  const total = paths.reduce((sum, list) => sum + list.length, 0);
  const opacity = coordinate(Math.min(0.7, Math.max(0.03, 300 / (total + 1))));
  return paths.map((list, kind) => {
    const color = view.kindColor(kind, "light");
    return list.length === 0 ? "" : `<path d="${list.join("")}" ${cell > 0
      ? `fill="${color}"` : `fill="none" stroke="${color}" stroke-opacity="${opacity}"`}/>`;
  }).join("");
}

function networkNodes(view, at) {
  const { graph } = view;
  const radius = coordinate(Math.min(6, Math.max(1.2, 90 / Math.sqrt(graph.seats))));
  const circles = new Map();
  for (let seat = 0; seat < graph.seats; seat += 1) {
    if (graph.present[seat] === 1) {
      const bin = view.bins[seat];
      const circle = `<circle cx="${at.x(seat)}" cy="${at.y(seat)}" r="${radius}"/>`;
      circles.set(bin, (circles.get(bin) ?? "") + circle);
    }
  }
  return [...circles].map(([bin, list]) =>
    `<g fill="${view.colors.colorOf(bin, "light")}">${list}</g>`).join("");
}

function networkKey(view) {
  const kinds = view.graph.kinds.map((name, kind) => ({ name, color: view.kindColor(kind, "light"),
    isLine: true }));
  const nodes = (view.colors.entries ?? []).map(({ label, bin }) =>
    ({ name: label, color: view.colors.colorOf(bin, "light"), isLine: false }));
  let [x, y] = [24, 730];
  return [...kinds, ...nodes].map(({ name, color, isLine }) => {
    const label = shortened(name, 24);
    const width = 34 + label.length * 7;
    if (x + width > NETWORK_SVG.width - 10) {
      [x, y] = [24, y + 18];
    }
    const mark = isLine ? `<path d="M${x} ${y}h18" stroke="${color}" stroke-width="2.5"/>`
      : `<circle cx="${x + 9}" cy="${y}" r="5" fill="${color}"/>`;
    const text = `<text x="${x + 23}" y="${y}" dy="0.35em">${escapeXml(label)}</text>`;
    x += width;
    return y > NETWORK_SVG.height ? "" : mark + text;
  }).join("");
}

function networkSvg(view, title) {
  const { scale, left, top } = view.transform;
  const ratio = 330 / (Math.min(view.canvas.width, view.canvas.height) / 2 * 0.92);
  const [middleX, middleY] = [view.canvas.width / 2, view.canvas.height / 2];
  const at = {
    x: (seat) => coordinate(360 + (left + view.worldX[seat] * scale - middleX) * ratio),
    y: (seat) => coordinate(360 + (top + view.worldY[seat] * scale - middleY) * ratio),
  };
  const cell = view.cell > 0 ? Math.max(1, Math.round(view.cell * ratio * 10) / 10) : 0;
  const clip = '<clipPath id="network-area"><rect width="720" height="715"/></clipPath>';
  return svgDocument(NETWORK_SVG, title, `${clip}<g clip-path="url(#network-area)">`
    + `${networkLinks(view, at, cell)}${networkNodes(view, at)}</g>${networkKey(view)}`);
}
