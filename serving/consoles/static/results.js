// A campaign's result page: dialogs that ask before something is changed, and a word when the figures may be old.
(() => {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open).showModal();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  const live = document.getElementById("results");
  const stale = document.getElementById("stale");
  live?.addEventListener("htmx:error", () => (stale.hidden = false));
  live?.addEventListener("htmx:after:swap", () => (stale.hidden = true));
})();
