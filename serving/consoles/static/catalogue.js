// The catalogue: its list keeps in the address what was asked for; the offer editor has rows of terms, customers to
// preview for, and what was typed and not saved yet.
(() => {
  const find = (selector, within = document) => within.querySelector(selector);

  const filters = find("form.filters");
  filters?.addEventListener("htmx:after:request", () => {
    history.replaceState(null, "", `?${new URLSearchParams(new FormData(filters))}`);
  });

  // The what-if takes its time, and says how long already.
  const running = find("[data-running]"), failed = find("[data-what-if-failed]");
  const isWhatIf = (event) => event.detail.ctx?.sourceElement?.matches("[data-what-if]");
  let started = null;
  const tick = () => {
    const seconds = Math.floor((Date.now() - started) / 1000);
    find("span", running).textContent = running.dataset.running.replace("{time}", `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
  };
  let timer = null;
  function stop() {
    clearInterval(timer);
    running.hidden = true;
  }
  document.addEventListener("htmx:before:request", (event) => {
    if (!isWhatIf(event)) return;
    started = Date.now();
    failed.hidden = true;
    running.hidden = false;
    tick();
    timer = setInterval(tick, 1000);
    running.scrollIntoView({ block: "center" });
  });
  document.addEventListener("htmx:error", (event) => {
    if (!isWhatIf(event)) return;
    stop();
    failed.hidden = false;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (!isWhatIf(event)) return;
    stop();
    find("[data-answer-shown]")?.focus({ preventScroll: true });
    document.getElementById("what-if").scrollIntoView({ block: "nearest" });
  });

  const form = document.getElementById("offer-form");
  if (!form) return;

  // Terms: their rows are numbered from 0 in the order in which they are sent.
  const terms = find("[data-terms]", form);
  function renumber() {
    terms.querySelectorAll("[data-term]").forEach((term, place) => {
      const slot = find("[data-slot]", term), legend = find("legend", term);
      slot.id = `term-${place}-slot`;
      legend.textContent = legend.dataset.number.replace("{number}", place + 1);
    });
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-add-term]")) {
      terms.append(find("[data-new-term]", form).content.cloneNode(true));
      renumber();
      find("[data-term]:last-child input", terms).focus();
    }
    const remove = event.target.closest("[data-remove-term]");
    if (remove) {
      remove.closest("[data-term]").remove();
      renumber();
      find("[data-add-term]", form).focus();
      form.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  // The preview's customers.
  const customer = document.getElementById("preview_customer");
  const markSample = () => {
    for (const sample of document.querySelectorAll("[data-sample]")) {
      sample.setAttribute("aria-pressed", String(sample.dataset.sample === customer.value));
    }
  };
  document.addEventListener("click", (event) => {
    const sample = event.target.closest("[data-sample]");
    if (!sample) return;
    customer.value = sample.dataset.sample;
    customer.dispatchEvent(new Event("change", { bubbles: true }));
  });
  for (const kind of ["input", "change"]) customer.addEventListener(kind, markSample);

  // A review says what was sent: once more is typed, it is none any more.
  const isPreviewOnly = (element) => element.name?.startsWith("preview_");
  let isUnsaved = "unsaved" in form.dataset;
  for (const kind of ["input", "change"]) {
    form.addEventListener(kind, (event) => {
      if (isPreviewOnly(event.target)) return;
      isUnsaved = true;
      find("[data-review]", form)?.remove();
    });
  }
  find("[data-keep-editing]", form)?.addEventListener("click", () => {
    find("[data-review]", form).remove();
    find("input:not([type=hidden])", form).focus();
  });
  form.addEventListener("submit", () => { isUnsaved = false; });
  window.addEventListener("beforeunload", (event) => {
    if (isUnsaved) event.preventDefault();
  });
  find("[data-focus]")?.focus();
})();
