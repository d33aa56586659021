// What the agent's pages share: running times and dialogs; and the queue, walked through with the arrows.
function tick() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const time = `${hours ? hours + ":" : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    element.textContent = element.dataset.text.replace("{time}", time);
  }
}
setInterval(tick, 1000);

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

const queue = document.getElementById("queue");
if (queue) {
  const lost = document.getElementById("connection");
  queue.addEventListener("htmx:error", () => (lost.hidden = false));
  queue.addEventListener("htmx:after:swap", () => (lost.hidden = true));
  const actions = () => [...document.querySelectorAll("[data-queue-action]")];
  actions()[0]?.focus();
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = actions();
    const next = all[all.indexOf(document.activeElement) + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });
}
