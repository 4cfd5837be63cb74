// Draws one overlay at one time on a canvas: links (as lines, or as a bitmap where there are very
// many), messages, nodes and what is selected. It also turns places on the screen into seats.

const MOST_LINES_DRAWN = 3000;
const MOST_PIXELS = 1000000;
const MOST_SINGLE_NODES = 1500;
const MOVING_LINKS = 6000;
const SETTLE_MILLISECONDS = 140;
const SLICE_MILLISECONDS = 10;

class NetworkView {
  constructor(canvas, onNeedsFrame) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onNeedsFrame = onNeedsFrame;
    this.camera = { zoom: 1, x: 0, y: 0 };
    this.layout = "ring";
    this.coloring = "group";
    this.selected = null;
    this.hovered = null;
    this.lastMove = -Infinity;
  }

  setGraph(graph, flights) {
    Object.assign(this, { graph, flights, selected: null, hovered: null });
    this.isKindShown = new Uint8Array(256).fill(1);
    this.worldX = new Float64Array(graph.seats);
    this.worldY = new Float64Array(graph.seats);
    this.x = new Int32Array(graph.seats);
    this.y = new Int32Array(graph.seats);
    this.bins = new Uint8Array(graph.seats);
    this.groups = groupNames(graph);
    this.force = null;
    this.isBitmap = graph.mostLinks > MOST_LINES_DRAWN;
    this.bitmap = this.isBitmap ? new LinkBitmap(graph) : null;
    this.bitmapKey = "";
    this.layoutVersion = 0;
    this.time = graph.frame?.time ?? 0;
    this.resize();
    this.frameChanged();
  }

  /** The canvas has as many pixels as the screen, but not more than can be filled in time. */
  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    const [width, height] = [Math.max(50, clientWidth), Math.max(50, clientHeight)];
    const most = Math.max(1, Math.sqrt(MOST_PIXELS / (width * height)));
    this.ratio = Math.min(devicePixelRatio || 1, 2, this.isBitmap ? most : 2);
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    this.bitmap?.resize(this.canvas.width, this.canvas.height);
    this.bitmapKey = "";
  }

  setLayout(name) {
    this.layout = name;
    this.layoutVersion += 1;
    if (name === "force") {
      this.force ??= new ForceLayout(this.graph);
      this.force.heat(0.02);
    }
    this.worldIsStale = true;
  }

  frameChanged() {
    this.worldIsStale = true;
    this.factsAreStale = true;
    this.linksAreStale = true;
    if (this.layout === "force") {
      this.force.heat(0.008);
    }
  }

  /** Facts cost a pass over all links: while the slider moves, only where colors need them. */
  refreshFacts(isMoving) {
    const isNeeded = this.coloring === "degree" || this.coloring === "component";
    if (this.factsAreStale && (!isMoving || isNeeded || !this.facts)) {
      this.facts = this.graph.measure(this.isKindShown);
      this.factsAreStale = false;
    }
    this.colors = colorNodes(this.graph, this.bins, this.coloring, this.groups, this.time);
  }

  get transform() {
    const { width, height } = this.canvas;
    const scale = (Math.min(width, height) / 2) * 0.92 * this.camera.zoom;
    return { scale, left: width / 2 - this.camera.x * scale,
      top: height / 2 - this.camera.y * scale };
  }

  /** The nodes' pixels. */
  place() {
    const { worldX, worldY, graph } = this;
    if (this.worldIsStale) {
      if (this.layout === "force") {
        this.force.write(worldX, worldY);
      } else {
        const layouts = { ring: ringLayout, matrix: matrixLayout, geographic: geographicLayout };
        layouts[this.layout](graph, worldX, worldY);
      }
      this.worldIsStale = false;
    }
    const { scale, left, top } = this.transform;
    for (let seat = 0; seat < graph.seats; seat += 1) {
      this.x[seat] = Math.round(left + worldX[seat] * scale);
      this.y[seat] = Math.round(top + worldY[seat] * scale);
    }
  }

  /** Moves the force layout on; true while it is not at rest. */
  advanceForces(deadline) {
    if (this.layout !== "force" || this.force.isDone) {
      return false;
    }
    if (this.force.advance(deadline)) {
      this.worldIsStale = true;
      this.layoutVersion += 1;
    }
    return !this.force.isDone;
  }

  kindColor(kind, themeName) {
    return this.graph.kinds.length === 1 ? colorOf("mark", themeName) : colorOf(kind, themeName);
  }

  /** Draws all; `limit` is the time for the bitmap of links. Returns whether it is complete. */
  draw(now, limit = SLICE_MILLISECONDS) {
    const { context, canvas } = this;
    this.isForming = this.layout === "force" && !this.force.isDone;
    this.place();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = colorOf("surface");
    context.fillRect(0, 0, canvas.width, canvas.height);
    const isWhole = this.isBitmap ? this.drawBitmap(now, limit) : this.drawLines();
    if (this.layout !== "matrix") {
      this.inFlight = this.flights.at(this.time);
      drawFlights(context, this.inFlight, this.time, this.x, this.y, this.ratio);
    }
    this.drawNodes();
    this.drawChanges();
    this.drawSelection();
    return isWhole && !this.isForming;
  }

  get cell() {
    return this.layout === "matrix"
      ? Math.max(2, Math.round((this.transform.scale * 2) / this.graph.seats)) : 0;
  }

  drawLines() {
    const { context, graph, ratio, x, y, cell } = this;
    let count = 0;
    graph.alive.forEach((value) => {
      count += value;
    });
    context.lineWidth = ratio;
    context.globalAlpha = cell > 0 ? 1 : Math.min(0.7, Math.max(0.16, 300 / (count + 1)));
    graph.kinds.forEach((_, kind) => {
      if (this.isKindShown[kind] === 0) {
        return;
      }
      context.strokeStyle = this.kindColor(kind);
      context.fillStyle = this.kindColor(kind);
      context.beginPath();
      for (let id = 0; id < graph.alive.length; id += 1) {
        if (graph.alive[id] === 1 && graph.linkKind[id] === kind) {
          const [from, to] = [graph.linkFrom[id], graph.linkTo[id]];
          if (cell > 0) {
            context.rect(x[to] - cell / 2, y[from] - cell / 2, cell, cell);
          } else {
            context.moveTo(x[from], y[from]);
            context.lineTo(x[to], y[to]);
          }
        }
      }
      context[cell > 0 ? "fill" : "stroke"]();
    });
    context.globalAlpha = 1;
    return true;
  }

  /** While links move, a sample of them is drawn. */
  get stride() {
    return this.isForming ? Math.max(1, Math.ceil(this.graph.mostLinks / MOVING_LINKS)) : 1;
  }

  drawBitmap(now, limit) {
    const { bitmap, transform } = this;
    const { scale, left, top } = transform;
    const key = [this.layoutVersion, scale, left, top, this.stride, this.cell].join(" ");
    const isNew = key !== this.bitmapKey;
    if (isNew && this.imageTransform && this.imageVersion === this.layoutVersion
      && now - this.lastMove < SETTLE_MILLISECONDS) {
      this.drawImage(transform);
      return false;
    }
    if (isNew) {
      bitmap.clear();
      this.bitmapKey = key;
      this.isFresh = true;
    } else if (this.linksAreStale) {
      bitmap.invalidate();
    }
    this.linksAreStale = false;
    if (!bitmap.isWhole) {
      const look = { x: this.x, y: this.y, isKindShown: this.isKindShown, stride: this.stride,
        cell: this.cell };
      // A sample is drawn at once, or moving nodes would leave their links behind.
      const deadline = this.stride > 1 ? Infinity : performance.now() + limit;
      const isWhole = bitmap.reconcile(look, deadline);
      // What was begun anew is shown when it is whole; changes are shown as they come.
      if (isWhole || !this.isFresh) {
        this.composeBitmap(transform);
        this.isFresh = this.isFresh && !isWhole;
      }
    } else if (this.composedTheme !== theme.name) {
      this.composeBitmap(transform);
    }
    this.drawImage(transform);
    return bitmap.isWhole;
  }

  composeBitmap(transform) {
    this.bitmap.compose(this.graph.kinds.map((_, kind) => this.kindColor(kind)));
    this.imageTransform = transform;
    this.imageVersion = this.layoutVersion;
    this.composedTheme = theme.name;
  }

  /** The last bitmap, moved and scaled to where the camera is now. */
  drawImage({ scale, left, top }) {
    const drawn = this.imageTransform;
    if (!drawn || this.imageVersion !== this.layoutVersion) {
      return;
    }
    const factor = scale / drawn.scale;
    this.context.setTransform(factor, 0, 0, factor, left - drawn.left * factor,
      top - drawn.top * factor);
    this.context.drawImage(this.bitmap.canvas, 0, 0);
    this.context.setTransform(1, 0, 0, 1, 0, 0);
  }

  get radius() {
    const base = Math.min(7, Math.max(1.2, 80 / Math.sqrt(this.graph.seats)));
    const size = this.layout === "matrix" ? Math.min(2, base) : base;
    return Math.min(12, size * Math.sqrt(this.camera.zoom)) * this.ratio;
  }

  drawNodes() {
    if (this.layout === "matrix") {
      this.drawMatrixFrame();
    } else if (this.graph.seats <= MOST_SINGLE_NODES) {
      this.drawNodesInOrder();
    } else {
      this.drawNodesByColor();
    }
  }

  /** Peers would hide the cells on the diagonal: a matrix has a frame instead. */
  drawMatrixFrame() {
    const { scale, left, top } = this.transform;
    this.context.strokeStyle = colorOf("muted");
    this.context.lineWidth = this.ratio;
    this.context.strokeRect(left - scale - 1, top - scale - 1, scale * 2 + 2, scale * 2 + 2);
  }

  /** By seat, so that no color hides the others. */
  drawNodesInOrder() {
    const { context, graph, bins, radius } = this;
    for (let seat = 0; seat < graph.seats; seat += 1) {
      if (graph.present[seat] === 1 && this.isInside(seat)) {
        context.fillStyle = this.colors.colorOf(bins[seat]);
        context.beginPath();
        context.arc(this.x[seat], this.y[seat], radius, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  /** All of one color at a time, which is faster for very many. */
  drawNodesByColor() {
    const { context, graph, bins, radius } = this;
    const isSquare = radius < 2.6 * this.ratio;
    const lists = new Map();
    for (let seat = 0; seat < graph.seats; seat += 1) {
      if (graph.present[seat] === 1 && this.isInside(seat)) {
        const list = lists.get(bins[seat]);
        if (list) {
          list.push(seat);
        } else {
          lists.set(bins[seat], [seat]);
        }
      }
    }
    const size = Math.max(2, Math.round(radius * 2));
    const half = size >> 1;
    lists.forEach((seats, bin) => {
      context.fillStyle = this.colors.colorOf(bin);
      if (isSquare) {
        seats.forEach((seat) =>
          context.fillRect(this.x[seat] - half, this.y[seat] - half, size, size));
        return;
      }
      context.beginPath();
      for (const seat of seats) {
        context.moveTo(this.x[seat] + radius, this.y[seat]);
        context.arc(this.x[seat], this.y[seat], radius, 0, 2 * Math.PI);
      }
      context.fill();
    });
  }

  isInside(seat) {
    const [x, y] = [this.x[seat], this.y[seat]];
    return x > -20 && y > -20 && x < this.canvas.width + 20 && y < this.canvas.height + 20;
  }

  /** Rings around those that joined since the last frame, crosses where others left. */
  drawChanges() {
    const { context, graph, ratio } = this;
    if (this.layout === "matrix") {
      return;
    }
    const { joined = [], left = [] } = graph.frame ?? {};
    if (graph.at === 0) {
      return;
    }
    const size = this.radius + 3 * ratio;
    context.lineWidth = 1.6 * ratio;
    context.strokeStyle = colorOf("good");
    context.beginPath();
    for (const seat of joined.slice(0, MOST_FLIGHTS)) {
      context.moveTo(this.x[seat] + size, this.y[seat]);
      context.arc(this.x[seat], this.y[seat], size, 0, 2 * Math.PI);
    }
    context.stroke();
    context.strokeStyle = colorOf("bad");
    context.beginPath();
    for (const seat of left.slice(0, MOST_FLIGHTS)) {
      const [x, y, arm] = [this.x[seat], this.y[seat], size * 0.7];
      context.moveTo(x - arm, y - arm);
      context.lineTo(x + arm, y + arm);
      context.moveTo(x + arm, y - arm);
      context.lineTo(x - arm, y + arm);
    }
    context.stroke();
  }

  /** The links of the selected or hovered peer, above everything. */
  drawSelection() {
    const seat = this.hovered ?? this.selected;
    if (seat === null) {
      return;
    }
    const { context, ratio, x, y, graph, cell } = this;
    context.strokeStyle = colorOf("select");
    context.lineWidth = 1.4 * ratio;
    context.beginPath();
    for (const { other, isOut } of graph.linksOf(seat, this.isKindShown)) {
      if (cell > 0) {
        const [from, to] = isOut ? [seat, other] : [other, seat];
        const size = cell + 2 * ratio;
        context.rect(x[to] - size / 2, y[from] - size / 2, size, size);
      } else {
        context.moveTo(x[seat], y[seat]);
        context.lineTo(x[other], y[other]);
      }
    }
    context.stroke();
    context.lineWidth = 2.4 * ratio;
    context.beginPath();
    context.arc(x[seat], y[seat], this.radius + 4 * ratio, 0, 2 * Math.PI);
    context.stroke();
  }

  /** The seat near a place of the canvas in CSS pixels, or null. */
  seatAt(cssX, cssY) {
    const [atX, atY] = [cssX * this.ratio, cssY * this.ratio];
    let [best, nearest] = [null, (Math.max(12 * this.ratio, this.radius + 4)) ** 2];
    for (let seat = 0; seat < this.graph.seats; seat += 1) {
      if (this.graph.present[seat] === 1) {
        // In a matrix, a peer is its row.
        const sideways = this.layout === "matrix" ? 0 : this.x[seat] - atX;
        const distance = sideways ** 2 + (this.y[seat] - atY) ** 2;
        if (distance < nearest) {
          [best, nearest] = [seat, distance];
        }
      }
    }
    return best;
  }

  pan(cssX, cssY, now) {
    const { scale } = this.transform;
    this.camera.x -= (cssX * this.ratio) / scale;
    this.camera.y -= (cssY * this.ratio) / scale;
    this.lastMove = now;
  }

  /** Zooms so that what is under the place stays there. */
  zoomAt(factor, cssX, cssY, now) {
    const [x, y] = [cssX * this.ratio, cssY * this.ratio];
    const before = this.transform;
    const world = [(x - before.left) / before.scale, (y - before.top) / before.scale];
    this.camera.zoom = Math.min(60, Math.max(0.4, this.camera.zoom * factor));
    const { scale } = this.transform;
    this.camera.x = world[0] - (x - this.canvas.width / 2) / scale;
    this.camera.y = world[1] - (y - this.canvas.height / 2) / scale;
    this.lastMove = now;
  }

  resetCamera() {
    this.camera = { zoom: 1, x: 0, y: 0 };
    this.lastMove = -Infinity;
  }
}
