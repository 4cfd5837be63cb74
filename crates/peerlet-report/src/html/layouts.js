// Where the nodes are: on a ring by position or seat, by forces, on a map by place, or on the
// diagonal of a matrix. All layouts fill the square from -1 to 1.

const LAYOUTS = [["ring", "Ring"], ["force", "Force"], ["geographic", "Geographic"],
  ["matrix", "Matrix"]];

function ringShare(graph, seat) {
  const share = graph.position[seat];
  return Number.isNaN(share) ? seat / graph.seats : share;
}

function ringLayout(graph, x, y) {
  for (let seat = 0; seat < graph.seats; seat += 1) {
    const angle = (ringShare(graph, seat) - 0.25) * 2 * Math.PI;
    x[seat] = Math.cos(angle);
    y[seat] = Math.sin(angle);
  }
}

function matrixLayout(graph, x, y) {
  for (let seat = 0; seat < graph.seats; seat += 1) {
    const share = ringShare(graph, seat);
    x[seat] = 2 * share - 1;
    y[seat] = 2 * share - 1;
  }
}

function hasPlaces(graph) {
  const places = graph.graph.places ?? [];
  return places.some((value, i) => i % 2 === 0 && isNumber(value) && isNumber(places[i + 1]));
}

/** The map, north up; peers without a place are in a row below. */
function geographicLayout(graph, x, y) {
  const { places } = graph.graph;
  const east = extentOf([places.filter((_, i) => i % 2 === 0)]);
  const north = extentOf([places.filter((_, i) => i % 2 === 1)]);
  const span = Math.max(east[1] - east[0], north[1] - north[0]) || 1;
  const [middleX, middleY] = [(east[0] + east[1]) / 2, (north[0] + north[1]) / 2];
  for (let seat = 0; seat < graph.seats; seat += 1) {
    const [placeX, placeY] = [places[2 * seat], places[2 * seat + 1]];
    if (isNumber(placeX) && isNumber(placeY)) {
      x[seat] = ((placeX - middleX) / span) * 1.9;
      y[seat] = -((placeY - middleY) / span) * 1.9;
    } else {
      x[seat] = (seat / graph.seats) * 2 - 1;
      y[seat] = Math.min(1, ((north[1] - north[0]) / span) * 0.95 + 0.12);
    }
  }
}

/**
 * Forces after Fruchterman and Reingold: links pull, all nodes push each other. It works in slices,
 * and it starts from the ring, so that its result does not depend on chance.
 */
class ForceLayout {
  constructor(graph) {
    this.graph = graph;
    this.x = new Float64Array(graph.seats);
    this.y = new Float64Array(graph.seats);
    ringLayout(graph, this.x, this.y);
    this.pushX = new Float64Array(graph.seats);
    this.pushY = new Float64Array(graph.seats);
    this.tree = new Quadtree(graph.seats);
    this.heat(0.12);
  }

  /** Lets the nodes move anew, by so much at first. */
  heat(temperature) {
    this.temperature = Math.max(this.temperature ?? 0, temperature);
    this.work = null;
  }

  get isDone() {
    return this.temperature < 0.002;
  }

  /** Works until the deadline; returns whether a step was finished, so that nodes moved. */
  advance(deadline) {
    let hasMoved = false;
    while (!this.isDone && performance.now() < deadline) {
      this.work ??= this.steps();
      const { done, value } = this.work.next();
      hasMoved ||= value === "moved";
      this.work = done ? null : this.work;
    }
    return hasMoved;
  }

  linkedSeats() {
    const { graph } = this;
    const isIn = graph.present.slice();
    for (let id = 0; id < graph.alive.length; id += 1) {
      if (graph.alive[id] === 1) {
        isIn[graph.linkFrom[id]] = 1;
        isIn[graph.linkTo[id]] = 1;
      }
    }
    const seats = [];
    isIn.forEach((value, seat) => value === 1 && seats.push(seat));
    return Uint32Array.from(seats);
  }

  /** One step, with a yield every few hundred nodes. */
  * steps() {
    const seats = this.linkedSeats();
    const ideal = 1.6 / Math.sqrt(Math.max(1, seats.length));
    this.tree.build(seats, this.x, this.y);
    yield "built";
    const push = new Float64Array(2);
    for (let i = 0; i < seats.length; i += 1) {
      const seat = seats[i];
      push.fill(0);
      this.tree.repulsion(this.x[seat], this.y[seat], ideal * ideal, push);
      // A light pull to the middle keeps components together.
      this.pushX[seat] = push[0] - this.x[seat] * 0.6;
      this.pushY[seat] = push[1] - this.y[seat] * 0.6;
      if ((i & 255) === 255) {
        yield "pushed";
      }
    }
    this.pull(ideal);
    yield "pulled";
    this.move(seats);
    yield "moved";
  }

  pull(ideal) {
    const { graph, x, y, pushX, pushY } = this;
    for (let id = 0; id < graph.alive.length; id += 1) {
      if (graph.alive[id] === 1) {
        const [from, to] = [graph.linkFrom[id], graph.linkTo[id]];
        const [dx, dy] = [x[to] - x[from], y[to] - y[from]];
        const force = Math.sqrt(dx * dx + dy * dy) / ideal / 4;
        pushX[from] += dx * force;
        pushY[from] += dy * force;
        pushX[to] -= dx * force;
        pushY[to] -= dy * force;
      }
    }
  }

  move(seats) {
    const { x, y, pushX, pushY } = this;
    let squares = 1e-12;
    for (const seat of seats) {
      const length = Math.hypot(pushX[seat], pushY[seat]) || 1;
      const step = Math.min(length, this.temperature) / length;
      x[seat] += pushX[seat] * step;
      y[seat] += pushY[seat] * step;
      squares += x[seat] ** 2 + y[seat] ** 2;
    }
    // A few far ones may be outside of the picture, or the others would be crowded.
    this.extent = 1.75 * Math.sqrt(squares / Math.max(1, seats.length)) + 1e-9;
    this.temperature *= 0.95;
  }

  write(x, y) {
    const extent = this.extent ?? 1;
    for (let seat = 0; seat < x.length; seat += 1) {
      x[seat] = this.x[seat] / extent;
      y[seat] = this.y[seat] / extent;
    }
  }
}
