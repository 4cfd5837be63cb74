// A quadtree of points in typed arrays, after Barnes and Hut: what is far away pushes as one point.
// The force layout builds it anew for each of its steps.

const DEEPEST = 24;

class Quadtree {
  constructor(capacity) {
    const cells = capacity * 4 + 64;
    this.children = new Int32Array(cells * 4);
    this.mass = new Float64Array(cells);
    this.x = new Float64Array(cells);
    this.y = new Float64Array(cells);
    this.point = new Int32Array(cells);
    this.size = new Float64Array(cells);
    this.stack = new Int32Array(1024);
    this.limit = cells - 8;
  }

  addCell(size) {
    const cell = this.count;
    this.count += 1;
    this.children.fill(-1, cell * 4, cell * 4 + 4);
    this.mass[cell] = 0;
    this.x[cell] = 0;
    this.y[cell] = 0;
    this.point[cell] = -1;
    this.size[cell] = size;
    return cell;
  }

  build(points, px, py) {
    let [low, high] = [Infinity, -Infinity];
    for (const i of points) {
      low = Math.min(low, px[i], py[i]);
      high = Math.max(high, px[i], py[i]);
    }
    this.count = 0;
    this.addCell(Math.max(1e-6, (high - low) * 1.001));
    this.low = low;
    for (const i of points) {
      this.insert(i, px, py);
    }
    for (let cell = 0; cell < this.count; cell += 1) {
      if (this.mass[cell] > 0) {
        this.x[cell] /= this.mass[cell];
        this.y[cell] /= this.mass[cell];
      }
    }
  }

  /** Puts a point into a leaf; a leaf that has one already becomes a branch. */
  insert(i, px, py) {
    let [cell, left, top, size] = [0, this.low, this.low, this.size[0]];
    for (let depth = 0; ; depth += 1) {
      const isLeaf = this.mass[cell] === 0;
      const former = this.point[cell];
      this.mass[cell] += 1;
      this.x[cell] += px[i];
      this.y[cell] += py[i];
      if (isLeaf) {
        this.point[cell] = i;
        return;
      }
      if (depth >= DEEPEST || this.count >= this.limit) {
        return;
      }
      size /= 2;
      const childOf = (k) => {
        const quadrant = (px[k] >= left + size ? 1 : 0) + (py[k] >= top + size ? 2 : 0);
        const at = cell * 4 + quadrant;
        if (this.children[at] < 0) {
          this.children[at] = this.addCell(size);
        }
        return [this.children[at], quadrant];
      };
      if (former >= 0) {
        const [child] = childOf(former);
        this.mass[child] = 1;
        this.x[child] = px[former];
        this.y[child] = py[former];
        this.point[child] = former;
        this.point[cell] = -1;
      }
      const [child, quadrant] = childOf(i);
      left += quadrant & 1 ? size : 0;
      top += quadrant & 2 ? size : 0;
      cell = child;
    }
  }

  /** Adds to `push` (x, y) how all points push one at (x, y), by the inverse of the distance. */
  repulsion(x, y, strength, push) {
    const { stack, children } = this;
    let depth = 1;
    stack[0] = 0;
    while (depth > 0) {
      depth -= 1;
      const cell = stack[depth];
      const [dx, dy] = [x - this.x[cell], y - this.y[cell]];
      const squared = dx * dx + dy * dy;
      const size = this.size[cell];
      const first = cell * 4;
      const isLeaf = children[first] < 0 && children[first + 1] < 0 && children[first + 2] < 0
        && children[first + 3] < 0;
      if (isLeaf || size * size < squared * 0.81) {
        if (squared > 1e-12) {
          const force = (strength * this.mass[cell]) / squared;
          push[0] += dx * force;
          push[1] += dy * force;
        }
      } else {
        for (let quadrant = 0; quadrant < 4; quadrant += 1) {
          const child = children[first + quadrant];
          if (child >= 0) {
            stack[depth] = child;
            depth += 1;
          }
        }
      }
    }
  }
}
