// The slider over an overlay's frames: play, pause, step and speed, by mouse, touch and keyboard.
// Between two frames its time goes on evenly, so that messages can be seen on their way.

const SPEEDS = [0.2, 0.5, 1, 2, 5, 10, 30];

class Timeline {
  constructor(onMove) {
    this.onMove = onMove;
    this.times = [0];
    this.place = 0;
    this.speed = 2;
    this.isPlaying = false;
    this.isSmooth = false;
    this.slider = element("input", { type: "range", min: "0", max: "0", step: "1", value: "0",
      "aria-label": "Time" });
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value)));
    this.playButton = button("Play", () => this.play(!this.isPlaying), { class: "play" });
    this.output = element("output", {});
    this.node = element("div", { class: "timeline" },
      button("←", () => this.step(-1), { "aria-label": "One frame back" }), this.playButton,
      button("→", () => this.step(1), { "aria-label": "One frame on" }), this.slider, this.output,
      choice("Speed", SPEEDS.map((speed) => [String(speed), `${speed} frames/s`]), "2",
        (speed) => {
          this.speed = Number(speed);
        }));
  }

  /** New frames; `isSmooth` lets the slider rest between them. */
  setFrames(times, isSmooth) {
    this.play(false);
    this.times = times;
    this.isSmooth = isSmooth;
    this.slider.max = String(Math.max(0, times.length - 1));
    this.slider.step = isSmooth ? "0.01" : "1";
    this.node.hidden = times.length < 2;
    this.moveTo(0);
  }

  get last() {
    return this.times.length - 1;
  }

  get frame() {
    return Math.min(this.last, Math.floor(this.place + 1e-9));
  }

  get time() {
    const { frame } = this;
    const share = this.place - frame;
    const next = this.times[Math.min(this.last, frame + 1)];
    return this.times[frame] + (next - this.times[frame]) * share;
  }

  moveTo(place) {
    this.place = Math.min(this.last, Math.max(0, place));
    this.slider.value = String(this.place);
    const time = `${this.time.toFixed(this.isSmooth ? 3 : 2)} s`;
    this.output.textContent = `${time} · frame ${this.frame + 1} of ${this.times.length}`;
    this.slider.setAttribute("aria-valuetext", time);
    this.onMove(this.frame, this.time);
  }

  /** As a hand on the slider does. */
  drag(place) {
    this.slider.value = String(place);
    this.slider.dispatchEvent(new Event("input"));
  }

  step(by) {
    this.play(false);
    const whole = by < 0 ? Math.ceil(this.place - 1e-9) : this.frame;
    this.moveTo(whole + by);
  }

  play(isPlaying) {
    this.isPlaying = isPlaying && this.last > 0;
    this.playButton.textContent = this.isPlaying ? "Pause" : "Play";
    if (this.isPlaying) {
      if (this.place >= this.last) {
        this.moveTo(0);
      }
      this.before = null;
      this.playPlace = undefined;
      requestAnimationFrame((now) => this.advance(now));
    }
  }

  advance(now) {
    if (!this.isPlaying) {
      return;
    }
    const elapsed = this.before === null ? 0 : Math.min(0.25, (now - this.before) / 1000);
    this.before = now;
    this.playPlace = this.playPlace !== undefined && Math.floor(this.playPlace) === this.frame
      ? this.playPlace : this.place;
    this.playPlace += elapsed * this.speed;
    const shown = this.isSmooth ? this.playPlace : Math.floor(this.playPlace);
    if (shown !== this.place) {
      this.moveTo(shown);
    }
    if (this.place >= this.last) {
      this.play(false);
    } else {
      requestAnimationFrame((next) => this.advance(next));
    }
  }

  /** Keys of the whole overlay; returns whether the key was one of them. */
  onKey(event) {
    const actions = {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
      " ": () => this.play(!this.isPlaying), Home: () => this.moveTo(0),
      End: () => this.moveTo(this.last),
    };
    const action = actions[event.key];
    action?.();
    return action !== undefined;
  }
}
