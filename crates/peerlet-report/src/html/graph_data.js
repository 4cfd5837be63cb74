// One overlay over time: its frames as changes in typed arrays, checkpoints for fast seeking, and
// the facts of a frame (degrees, components). Each distinct link has a number.

const CHECKPOINT_FRAMES = 16;
const MOST_CHECKPOINTS = 64;

/** Gives each distinct link (from, to, kind) a number. */
class LinkTable {
  constructor(seats, kinds) {
    Object.assign(this, { seats, kinds, ids: new Map(), from: [], to: [], kind: [] });
  }

  idOf(from, to, kind) {
    const key = (from * this.seats + to) * this.kinds + kind;
    let id = this.ids.get(key);
    if (id === undefined) {
      id = this.from.length;
      this.ids.set(key, id);
      this.from.push(from);
      this.to.push(to);
      this.kind.push(kind);
    }
    return id;
  }
}

/** One more than the largest seat that any frame names. */
function seatCount(graph) {
  let most = Math.max(1, graph.seats ?? 1);
  const see = (list, step, width) => {
    for (let i = 0; i < (list?.length ?? 0); i += step) {
      for (let j = 0; j < width; j += 1) {
        most = list[i + j] >= most ? list[i + j] + 1 : most;
      }
    }
  };
  for (const frame of graph.frames ?? []) {
    see(frame.joined, 1, 1);
    see(frame.added, 3, 2);
    see(frame.positions, 2, 1);
  }
  return most;
}

class GraphData {
  constructor(graph) {
    this.graph = graph;
    this.seats = seatCount(graph);
    this.kinds = graph.kinds?.length > 0 ? graph.kinds.map(String) : ["links"];
    this.isDirected = graph.directed === true;
    this.joinTimes = new Map();
    this.present = new Uint8Array(this.seats);
    this.position = new Float64Array(this.seats).fill(NaN);
    this.hasPositions = false;
    this.readFrames(graph.frames ?? []);
    this.at = this.frames.length - 1;
    this.degree = new Uint32Array(this.seats);
    this.parent = new Int32Array(this.seats);
    this.sizes = new Int32Array(this.seats);
    if (this.frames.length > 0) {
      this.seek(0);
    }
  }

  /** Keeps of each frame what really changes, so that it can be undone as well. */
  readFrames(frames) {
    const links = new LinkTable(this.seats, this.kinds.length);
    const alive = new Set();
    this.frames = [];
    this.every = Math.max(CHECKPOINT_FRAMES, Math.ceil(frames.length / MOST_CHECKPOINTS));
    const checkpoints = [];
    this.mostLinks = 0;
    frames.forEach((frame, index) => {
      this.frames.push(this.readFrame(frame, links, alive));
      this.mostLinks = Math.max(this.mostLinks, alive.size);
      if (index % this.every === 0) {
        checkpoints.push({ present: this.present.slice(), position: this.position.slice(),
          links: Uint32Array.from(alive) });
      }
    });
    this.linkFrom = Uint32Array.from(links.from);
    this.linkTo = Uint32Array.from(links.to);
    this.linkKind = Uint8Array.from(links.kind);
    this.alive = new Uint8Array(links.from.length);
    alive.forEach((id) => {
      this.alive[id] = 1;
    });
    this.checkpoints = checkpoints;
  }

  readFrame(frame, links, alive) {
    const time = isNumber(frame.time) ? frame.time : this.frames.length;
    const change = (seats, to) => (seats ?? []).filter((seat) => {
      const isNew = seat >= 0 && seat < this.seats && this.present[seat] !== to;
      this.present[seat] = to;
      return isNew;
    });
    // One that was absent and is in both lists came and went in between: it stays absent.
    const leaving = new Set(frame.left ?? []);
    const coming = (frame.joined ?? []).filter((seat) => !leaving.has(seat)
      || this.present[seat] === 1);
    const left = change(frame.left, 0);
    const joined = change(coming, 1);
    joined.forEach((seat) => {
      this.joinTimes.set(seat, [...(this.joinTimes.get(seat) ?? []), time]);
    });
    const [removed, added] = [[], []];
    this.eachLink(frame.removed, links, (id) => alive.delete(id) && removed.push(id));
    this.eachLink(frame.added, links, (id) => !alive.has(id) && alive.add(id) && added.push(id));
    return { time, joined, left, added: Uint32Array.from(added),
      removed: Uint32Array.from(removed), moves: this.readMoves(frame.positions ?? []) };
  }

  eachLink(list, links, use) {
    for (let i = 0; i + 2 < (list?.length ?? 0); i += 3) {
      const [from, to] = [list[i], list[i + 1]];
      if (from >= 0 && from < this.seats && to >= 0 && to < this.seats) {
        use(links.idOf(from, to, Math.min(list[i + 2] ?? 0, this.kinds.length - 1)));
      }
    }
  }

  readMoves(list) {
    const moves = [];
    for (let i = 0; i + 1 < list.length; i += 2) {
      const seat = list[i];
      if (seat >= 0 && seat < this.seats && isNumber(list[i + 1])) {
        moves.push(seat, this.position[seat], list[i + 1]);
        this.position[seat] = list[i + 1];
        this.hasPositions = true;
      }
    }
    return Float64Array.from(moves);
  }

  apply(frame, isForward) {
    const [gone, come] = isForward ? [frame.left, frame.joined] : [frame.joined, frame.left];
    // A seat that left and joined in one frame is there after it, and was there before.
    gone.forEach((seat) => {
      this.present[seat] = 0;
    });
    come.forEach((seat) => {
      this.present[seat] = 1;
    });
    const [less, more] = isForward ? [frame.removed, frame.added] : [frame.added, frame.removed];
    for (let i = 0; i < less.length; i += 1) {
      this.alive[less[i]] = 0;
    }
    for (let i = 0; i < more.length; i += 1) {
      this.alive[more[i]] = 1;
    }
    const { moves } = frame;
    if (isForward) {
      for (let i = 0; i < moves.length; i += 3) {
        this.position[moves[i]] = moves[i + 2];
      }
    } else {
      for (let i = moves.length - 3; i >= 0; i -= 3) {
        this.position[moves[i]] = moves[i + 1];
      }
    }
  }

  restore(checkpoint) {
    this.present.set(checkpoint.present);
    this.position.set(checkpoint.position);
    this.alive.fill(0);
    for (const id of checkpoint.links) {
      this.alive[id] = 1;
    }
  }

  seek(index) {
    const nearest = Math.floor(index / this.every);
    const fromCheckpoint = index - nearest * this.every;
    if (Math.abs(index - this.at) > fromCheckpoint + 4) {
      this.restore(this.checkpoints[nearest]);
      this.at = nearest * this.every;
    }
    while (this.at < index) {
      this.at += 1;
      this.apply(this.frames[this.at], true);
    }
    while (this.at > index) {
      this.apply(this.frames[this.at], false);
      this.at -= 1;
    }
  }

  get frame() {
    return this.frames[this.at];
  }

  /** How long a seat's present life lasts at a time. */
  ageOf(seat, time) {
    const times = this.joinTimes.get(seat) ?? [];
    let latest = null;
    for (const joined of times) {
      latest = joined <= time ? joined : latest;
    }
    return latest === null ? 0 : time - latest;
  }

  rootOf(seat) {
    const { parent } = this;
    let at = seat;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]];
      at = parent[at];
    }
    return at;
  }

  /** Degrees and components over the shown kinds; links to absent peers join nothing. */
  measure(isKindShown) {
    const { seats, parent, sizes, degree, present } = this;
    degree.fill(0);
    sizes.fill(0);
    let [nodes, links, stale] = [0, 0, 0];
    for (let seat = 0; seat < seats; seat += 1) {
      parent[seat] = seat;
      nodes += present[seat];
    }
    for (let id = 0; id < this.alive.length; id += 1) {
      if (this.alive[id] === 1 && isKindShown[this.linkKind[id]] === 1) {
        const [from, to] = [this.linkFrom[id], this.linkTo[id]];
        links += 1;
        degree[from] += 1;
        degree[to] += 1;
        if (present[from] === 1 && present[to] === 1) {
          const [a, b] = [this.rootOf(from), this.rootOf(to)];
          parent[Math.max(a, b)] = Math.min(a, b);
        } else {
          stale += 1;
        }
      }
    }
    let components = 0;
    for (let seat = 0; seat < seats; seat += 1) {
      if (present[seat] === 1) {
        const root = this.rootOf(seat);
        components += sizes[root] === 0 ? 1 : 0;
        sizes[root] += 1;
      }
    }
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    return { nodes, links, stale, components, largest,
      meanDegree: nodes > 0 ? (this.isDirected ? links : 2 * links) / nodes : 0 };
  }

  /** The links of one seat: `{other, kind, isOut}`. */
  linksOf(seat, isKindShown) {
    const found = [];
    for (let id = 0; id < this.alive.length; id += 1) {
      if (this.alive[id] === 1 && isKindShown[this.linkKind[id]] === 1) {
        const [from, to] = [this.linkFrom[id], this.linkTo[id]];
        if (from === seat || to === seat) {
          found.push({ other: from === seat ? to : from, kind: this.linkKind[id],
            isOut: from === seat });
        }
      }
    }
    return found;
  }
}
