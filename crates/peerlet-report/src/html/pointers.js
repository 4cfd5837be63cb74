// Mouse, touch, wheel and keys on the overlay's canvas: drag to pan, wheel or two fingers to zoom,
// hover or tap to look at a peer.

const TAP_PIXELS = 5;

class Pointers {
  constructor(overlay) {
    this.overlay = overlay;
    this.canvas = overlay.canvas;
    this.down = new Map();
    this.hasMoved = false;
    const on = (name, handle) => this.canvas.addEventListener(name, (event) => {
      if (overlay.isStarted) {
        handle(event);
      }
    }, { passive: false });
    on("pointerdown", (event) => this.onDown(event));
    on("pointermove", (event) => this.onMove(event));
    on("pointerup", (event) => this.onUp(event));
    on("pointercancel", (event) => this.down.delete(event.pointerId));
    on("pointerleave", () => overlay.hover(null));
    on("wheel", (event) => this.onWheel(event));
  }

  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, this.placeOf(event));
    this.hasMoved = this.down.size > 1;
    this.start = this.placeOf(event);
  }

  onMove(event) {
    const place = this.placeOf(event);
    const before = this.down.get(event.pointerId);
    if (!before) {
      this.overlay.hover(this.overlay.view.seatAt(place.x, place.y), place);
      return;
    }
    this.hasMoved ||= Math.hypot(place.x - this.start.x, place.y - this.start.y) > TAP_PIXELS;
    const other = [...this.down].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const spread = (a, b) => Math.hypot(a.x - b.x, a.y - b.y) || 1;
      this.overlay.view.zoomAt(spread(place, other) / spread(before, other), other.x, other.y,
        performance.now());
    } else if (this.hasMoved) {
      this.overlay.view.pan(place.x - before.x, place.y - before.y, performance.now());
    }
    this.down.set(event.pointerId, place);
    this.overlay.needFrame();
  }

  onUp(event) {
    const place = this.placeOf(event);
    this.down.delete(event.pointerId);
    if (!this.hasMoved) {
      this.overlay.select(this.overlay.view.seatAt(place.x, place.y));
    }
  }

  /** With a modifier or after a click; else the page scrolls. */
  onWheel(event) {
    if (!(event.ctrlKey || event.metaKey || document.activeElement === this.overlay.stage)) {
      this.overlay.showHint("Click the drawing, or hold Ctrl, to zoom with the wheel");
      return;
    }
    event.preventDefault();
    const { x, y } = this.placeOf(event);
    this.overlay.view.zoomAt(Math.exp(-event.deltaY * 0.0015), x, y, performance.now());
    this.overlay.needFrame();
  }
}
