// Counts what goes wrong on the page in `data-errors` of the root, where tests read it. It comes
// first, so that nothing else can fail unseen.

function countError() {
  const { dataset } = document.documentElement;
  dataset.errors = String(Number(dataset.errors ?? "0") + 1);
}

function noteError(text) {
  const { dataset } = document.documentElement;
  dataset.lastError = String(text).slice(0, 500);
  countError();
}

document.documentElement.dataset.errors = "0";
window.addEventListener("error", (event) => noteError(event.message));
window.addEventListener("unhandledrejection", (event) => noteError(event.reason?.stack
  ?? event.reason));

const reportToConsole = console.error.bind(console);
console.error = (...parts) => {
  noteError(parts.map(String).join(" "));
  reportToConsole(...parts);
};
