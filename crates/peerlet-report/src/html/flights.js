// The messages in flight at a time: found among all by the time they were sent, and drawn on their
// way from sender to receiver. Lost ones are marked by a cross, not by color alone.

const MOST_FLIGHTS = 2000;

class Flights {
  constructor(messages) {
    this.messages = (messages ?? []).filter((one) => isNumber(one.sent) && isNumber(one.until))
      .sort((a, b) => a.sent - b.sent);
    this.longest = this.messages.reduce((most, one) => Math.max(most, one.until - one.sent), 0);
  }

  get isEmpty() {
    return this.messages.length === 0;
  }

  /** The messages under way at a time. */
  at(time) {
    const { messages } = this;
    let [low, high] = [0, messages.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (messages[middle].sent < time - this.longest) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const found = [];
    for (let i = low; i < messages.length && messages[i].sent <= time; i += 1) {
      if (messages[i].until > time) {
        found.push(messages[i]);
      }
    }
    return found;
  }
}

/** Where a message is between its peers' pixels; null for seats that are not there. */
function flightPlace(message, time, x, y) {
  const { from, to } = message;
  if (!(from >= 0 && from < x.length && to >= 0 && to < x.length)) {
    return null;
  }
  const share = (time - message.sent) / (message.until - message.sent || 1);
  return { x0: x[from], y0: y[from], x1: x[to], y1: y[to],
    x: x[from] + (x[to] - x[from]) * share, y: y[from] + (y[to] - y[from]) * share };
}

function drawFlights(context, messages, time, x, y, ratio) {
  const shown = messages.slice(0, MOST_FLIGHTS);
  const isFew = shown.length <= 60;
  for (const isLost of [false, true]) {
    const places = shown.filter((one) => Boolean(one.lost) === isLost)
      .map((one) => flightPlace(one, time, x, y)).filter(Boolean);
    const color = colorOf(isLost ? "bad" : "text");
    context.strokeStyle = withAlpha(color, isFew ? 0.6 : 0.2);
    context.lineWidth = ratio;
    context.setLineDash(isLost ? [4 * ratio, 3 * ratio] : []);
    context.beginPath();
    for (const place of places) {
      context.moveTo(place.x0, place.y0);
      context.lineTo(isLost ? place.x : place.x1, isLost ? place.y : place.y1);
    }
    context.stroke();
    context.setLineDash([]);
    drawHeads(context, places, color, isLost, ratio);
  }
}

function drawHeads(context, places, color, isLost, ratio) {
  context.beginPath();
  const size = (isLost ? 4 : 3) * ratio;
  for (const { x, y } of places) {
    if (isLost) {
      context.moveTo(x - size, y - size);
      context.lineTo(x + size, y + size);
      context.moveTo(x + size, y - size);
      context.lineTo(x - size, y + size);
    } else {
      context.moveTo(x + size, y);
      context.arc(x, y, size, 0, 2 * Math.PI);
    }
  }
  if (isLost) {
    context.strokeStyle = color;
    context.lineWidth = 2 * ratio;
    context.stroke();
  } else {
    context.fillStyle = color;
    context.fill();
  }
}
