// The campaigns' pages: dialogs, and the wizard, whose form the service draws anew and which a reload does not lose.
(() => {
  // Dialogs
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open).showModal();
    if (event.target.closest("[data-close]") || event.target.matches("dialog")) event.target.closest("dialog").close();
    if (event.target.matches("[data-select]")) event.target.select();
  });

  document.addEventListener("htmx:error", (event) => {
    const health = event.target.closest?.("[data-failed]");
    if (health) health.textContent = health.dataset.failed;
  });

  let wizard = document.getElementById("wizard");
  if (!wizard) return;

  // What was typed but not saved is kept until the service has taken it.
  const key = () => `nbo-draft:${wizard.dataset.draft}:${wizard.dataset.version}`;
  const typed = (submitter) => new URLSearchParams(new FormData(wizard, submitter));
  const keep = () => sessionStorage.setItem(key(), typed());

  // The service draws the form from what was typed: after a button that changes its rows, and after a reload.
  let latest = 0;
  async function redraw(body, wish) {
    const turn = ++latest;
    body.set("do", wish);
    wizard.setAttribute("aria-busy", "true");
    const answer = await fetch(wizard.action, { method: "POST", body }).catch(() => null);
    if (turn !== latest) return;
    wizard.removeAttribute("aria-busy");
    if (!answer || ![200, 422].includes(answer.status)) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const drawn = page.getElementById("wizard");
    if (turn !== latest || !drawn) return;
    const focused = document.activeElement?.id, at = document.activeElement?.name;
    const open = [...wizard.querySelectorAll("details")].map((one) => one.open);
    wizard.replaceWith(drawn);
    wizard = drawn;
    const folds = wizard.querySelectorAll("details");
    if (folds.length === open.length) folds.forEach((one, place) => { one.open ||= open[place]; });
    total();
    keep();
    const wanted = drawn.dataset.focus || focused;
    const next = wanted ? document.getElementById(wanted) : at && wizard.querySelector(`[name="${CSS.escape(at)}"]:checked`);
    next?.focus();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-redraw]");
    if (!button || !wizard.contains(button)) return;
    event.preventDefault();
    redraw(typed(), button.value);
  });
  document.addEventListener("change", (event) => {
    const field = event.target.closest("[data-redraw]");
    if (field && !field.matches("button") && wizard.contains(field)) redraw(typed(), field.dataset.redraw || "show");
  });
  document.addEventListener("input", (event) => {
    if (!wizard.contains(event.target)) return;
    if (event.target.matches("[data-other]")) wizard.querySelector('[name="planned_units"][value="other"]').checked = true;
    keep();
    total();
    for (const shown of wizard.querySelectorAll("[data-shows]")) {
      if (shown.dataset.shows === event.target.name) shown.textContent = event.target.value;
    }
  });
  document.addEventListener("submit", (event) => {
    if (event.target === wizard) sessionStorage.setItem("nbo-sent", key());
  });

  function total() {
    const shares = [...wizard.querySelectorAll("[data-weight]")].map((one) => Number(one.value));
    const place = wizard.querySelector("[data-total]");
    if (!place) return;
    const sum = shares.reduce((all, one) => all + one, 0);
    place.textContent = Number.isFinite(sum) ? `${Math.round(sum * 10) / 10} %` : "–";
    place.classList.toggle("is-off", !(Math.abs(sum - 100) < 0.1));
  }

  const sent = sessionStorage.getItem("nbo-sent");
  if (sent && sent !== key()) sessionStorage.removeItem(sent);
  sessionStorage.removeItem("nbo-sent");
  const problems = document.getElementById("problems");
  const kept = sessionStorage.getItem(key());
  total();
  if (problems) {
    (wizard.querySelector("[aria-invalid=true]") ?? problems).focus();
    keep();
  } else if (kept && kept !== String(typed())) {
    redraw(new URLSearchParams(kept), "show");
  }
})();
