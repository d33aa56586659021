// Light or dark before the first paint: the reader's choice, else the system's.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem("nbo-theme");
    } catch {
      return null; // a frame in another site may be refused its storage
    }
  };
  const apply = () => {
    root.dataset.bsTheme = stored() ?? (system.matches ? "dark" : "light");
  };
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    localStorage.setItem("nbo-theme", root.dataset.bsTheme === "dark" ? "light" : "dark");
    apply();
  });
})();
