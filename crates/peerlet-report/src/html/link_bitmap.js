// Very many links as a bitmap: for each kind and pixel it counts the lines that cross it, so that a
// link is added or taken away by its own pixels alone. Dragging the slider costs the changes, not
// all links, and the darkness of a pixel tells how many links cross there.

const MOST_PLANES = 8;
const LINE_UNIT = 16;
const TONES = 4096;
const MIXTURES = 64;

class LinkBitmap {
  constructor(graph) {
    const count = graph.alive.length;
    this.graph = graph;
    this.planeCount = Math.min(graph.kinds.length, MOST_PLANES);
    this.drawn = new Uint8Array(count);
    this.ends = new Int32Array(count * 4);
    this.canvas = document.createElement("canvas");
    this.tones = new Uint8Array(TONES);
    this.next = 0;
    this.isWhole = false;
    this.hasTones = false;
    this.resize(1, 1);
  }

  resize(width, height) {
    if (this.width === width && this.height === height) {
      return;
    }
    Object.assign(this, { width, height });
    this.canvas.width = width;
    this.canvas.height = height;
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.planes = Array.from({ length: this.planeCount }, () => new Int32Array(width * height));
    this.clear();
  }

  clear() {
    this.planes.forEach((plane) => plane.fill(0));
    this.drawn.fill(0);
    this.next = 0;
    this.isWhole = false;
    this.hasTones = false;
  }

  /** Begins anew to compare all links with what is drawn. */
  invalidate() {
    this.next = 0;
    this.isWhole = false;
  }

  /**
   * Draws the links that are missing and erases the others, until the deadline. `look` has the
   * nodes' pixels, the kinds that are shown, the stride (every which link) and the cell of a matrix
   * (0: lines). Returns whether all is drawn.
   */
  reconcile(look, deadline) {
    const { alive, linkKind, linkFrom, linkTo } = this.graph;
    const { x, y, isKindShown, stride, cell } = look;
    const { drawn, ends } = this;
    for (let id = this.next; id < alive.length; id += 1) {
      if ((id & 1023) === 1023 && performance.now() > deadline) {
        this.next = id;
        return false;
      }
      // This loop sees all links in each frame: it takes nothing apart that costs an allocation.
      const isWanted = alive[id] === 1 && isKindShown[linkKind[id]] === 1
        && (stride === 1 || id % stride === 0);
      if (!isWanted && drawn[id] === 0) {
        continue;
      }
      const from = linkFrom[id];
      const to = linkTo[id];
      const at = id * 4;
      // In a matrix, a link is the cell at its receiver's column and its sender's row.
      const x0 = cell > 0 ? x[to] : x[from];
      const y0 = y[from];
      const x1 = cell > 0 ? x0 : x[to];
      const y1 = cell > 0 ? y0 : y[to];
      if (drawn[id] === 1) {
        if (isWanted && ends[at] === x0 && ends[at + 1] === y0 && ends[at + 2] === x1
          && ends[at + 3] === y1) {
          continue;
        }
        this.put(id, -1, cell);
        drawn[id] = 0;
      }
      if (isWanted) {
        ends[at] = x0;
        ends[at + 1] = y0;
        ends[at + 2] = x1;
        ends[at + 3] = y1;
        this.put(id, 1, cell);
        drawn[id] = 1;
      }
    }
    this.next = 0;
    this.isWhole = true;
    return true;
  }

  put(id, sign, cell) {
    const { ends } = this;
    const plane = this.planes[this.graph.linkKind[id] % this.planeCount];
    const at = id * 4;
    if (cell > 0) {
      this.putCell(plane, ends[at], ends[at + 1], cell, sign * LINE_UNIT * 4);
    } else {
      this.putLine(plane, ends[at], ends[at + 1], ends[at + 2], ends[at + 3], sign);
    }
  }

  putCell(plane, x, y, size, weight) {
    const [left, top] = [x - (size >> 1), y - (size >> 1)];
    for (let row = Math.max(0, top); row < Math.min(this.height, top + size); row += 1) {
      const end = Math.min(this.width, left + size);
      for (let column = Math.max(0, left); column < end; column += 1) {
        plane[row * this.width + column] += weight;
      }
    }
  }

  /** A line, clipped to the bitmap; the weight of each step is split between two pixels. */
  putLine(plane, x0, y0, x1, y1, sign) {
    const { width, height } = this;
    const [dx, dy] = [x1 - x0, y1 - y0];
    const isSteep = Math.abs(dy) > Math.abs(dx);
    const length = isSteep ? Math.abs(dy) : Math.abs(dx);
    if (length === 0) {
      return;
    }
    const step = isSteep ? Math.sign(dy) : Math.sign(dx);
    const slope = (isSteep ? dx : dy) / length;
    const [major, minor] = isSteep ? [y0, x0] : [x0, y0];
    const [majorSize, minorSize] = isSteep ? [height, width] : [width, height];
    const [majorStride, minorStride] = isSteep ? [width, 1] : [1, width];
    let [first, last] = step > 0 ? [-major, majorSize - 1 - major]
      : [major - majorSize + 1, major];
    if (slope !== 0) {
      // A little inside, since the fixed point drifts by hundredths of a pixel.
      const [a, b] = [(0.05 - minor) / slope, (minorSize - 2.05 - minor) / slope];
      first = Math.max(first, Math.ceil(Math.min(a, b)));
      last = Math.min(last, Math.floor(Math.max(a, b)));
    } else if (minor < 0 || minor > minorSize - 2) {
      return;
    }
    first = Math.max(0, first);
    last = Math.min(length, last);
    let index = (major + first * step) * majorStride;
    let fixed = Math.round((minor + first * slope) * 65536);
    const fixedSlope = Math.round(slope * 65536);
    for (let i = first; i <= last; i += 1) {
      const cell = index + (fixed >> 16) * minorStride;
      const second = (fixed >> 12) & 15;
      plane[cell] += sign * (LINE_UNIT - second);
      plane[cell + minorStride] += sign * second;
      index += step * majorStride;
      fixed += fixedSlope;
    }
  }

  /** The opacity of a line, so that a picture full of lines still shows differences. */
  chooseTones() {
    let [sum, count] = [0, 0];
    for (const plane of this.planes) {
      for (let i = 0; i < plane.length; i += 7) {
        if (plane[i] > 0) {
          sum += plane[i];
          count += 1;
        }
      }
    }
    const lines = count > 0 ? sum / count / LINE_UNIT : 1;
    const opacity = Math.min(0.55, Math.max(0.012, 0.75 / (lines + 0.6)));
    for (let i = 0; i < TONES; i += 1) {
      this.tones[i] = Math.round(255 * (1 - Math.exp((-i / 4) * opacity)));
    }
    this.hasTones = true;
  }

  /** Turns the counts into colors; `colors` are hexadecimal, one a kind. */
  compose(colors) {
    if (!this.hasTones) {
      this.chooseTones();
    }
    const { planes, pixels } = this;
    const rgb = colors.slice(0, this.planeCount).map(channels);
    if (planes.length === 1) {
      this.composeTwo(planes[0], planes[0], rgb[0], rgb[0]);
    } else if (planes.length === 2) {
      this.composeTwo(planes[0], planes[1], rgb[0], rgb[1]);
    } else {
      const [reds, greens, blues] = [0, 1, 2].map((i) => rgb.map((one) => one[i]));
      for (let i = 0; i < pixels.length; i += 1) {
        let [total, red, green, blue] = [0, 0, 0, 0];
        for (let k = 0; k < planes.length; k += 1) {
          const count = planes[k][i];
          if (count > 0) {
            total += count;
            red += count * reds[k];
            green += count * greens[k];
            blue += count * blues[k];
          }
        }
        if (total === 0) {
          pixels[i] = 0;
        } else {
          const tone = this.tones[Math.min(TONES - 1, total >> 2)];
          pixels[i] = (tone << 24) | ((blue / total) << 16) | ((green / total) << 8)
            | (red / total);
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** Two kinds at most: the mixtures are known beforehand, which is twice as fast. */
  composeTwo(first, second, firstColor, secondColor) {
    const { pixels } = this;
    const isOne = first === second;
    const tones = Uint32Array.from(this.tones, (tone) => tone << 24);
    const mixtures = Uint32Array.from({ length: MIXTURES + 1 }, (_, i) => {
      const mixed = firstColor.map((value, k) =>
        Math.round(value + ((secondColor[k] - value) * i) / MIXTURES));
      return (mixed[2] << 16) | (mixed[1] << 8) | mixed[0];
    });
    for (let i = 0; i < pixels.length; i += 1) {
      const a = first[i];
      const b = isOne ? 0 : second[i];
      const total = a + b;
      if (total === 0) {
        pixels[i] = 0;
      } else {
        const tone = total < TONES * 4 ? total >> 2 : TONES - 1;
        const mixture = b === 0 ? 0 : ((b * MIXTURES) / total) | 0;
        pixels[i] = tones[tone] | mixtures[mixture];
      }
    }
  }
}
