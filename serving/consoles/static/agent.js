// The agent's page: keys, the card in use that never moves, and answers that survive a lost connection.
// htmx does the rest: it follows the contact's stream and morphs #live.
(() => {
  const live = document.getElementById("live");
  const find = (selector, within = document) => within.querySelector(selector);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const suggestions = () => document.getElementById("suggestions");

  // Running times -------------------------------------------------------------------------------
  function tick() {
    for (const element of document.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000));
      const two = (number) => String(number).padStart(2, "0");
      const hours = Math.floor(seconds / 3600);
      const time = `${hours ? hours + ":" : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
      element.textContent = fill(element.dataset.text, { time });
    }
  }
  setInterval(tick, 1000);

  // Dialogs -------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open).showModal();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  // The queue: arrows walk through it, the first row has the focus ---------------------------------
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
  if (!live) return;

  // The card in use never moves: what arrives meanwhile waits behind a pill ---------------------------
  const pill = document.getElementById("pill");
  let shownWhenHeld = null;

  const isInUse = () => Boolean(find(".offer:focus-within, .offer:hover"));
  const stateOf = (root) => find("#suggestions", root)?.dataset ?? {};
  const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

  live.addEventListener("htmx:sse:before:message", (event) => {
    if (event.detail.message.event) return;
    const next = stateOf(parsed(event.detail.message.data));
    const isSame = next.state === suggestions().dataset.state;
    const isHeld = !isSame && isInUse() && !unsent.length && next.status === suggestions().dataset.status;
    suggestions().toggleAttribute("hx-morph-skip", isSame || isHeld);
    if (isHeld && next.offers !== suggestions().dataset.offers) showPill(next.offers);
    else if (!isSame) hidePill();
  });

  function showPill(offers) {
    const shown = new Set(suggestions().dataset.offers.split(" "));
    const count = offers.split(" ").filter((offer) => offer && !shown.has(offer)).length;
    const { oneNew, manyNew, listChanged } = live.dataset;
    find("[data-pill-text]", pill).textContent = count > 1 ? fill(manyNew, { count }) : count ? oneNew : listChanged;
    shownWhenHeld = document.activeElement?.closest?.(".offer")?.dataset.position ?? null;
    pill.hidden = false;
  }

  function hidePill() {
    pill.hidden = true;
  }

  pill.addEventListener("click", async () => {
    const response = await fetch(`${live.dataset.base}/live`).catch(() => null);
    if (!response?.ok) return;
    await show(await response.text());
    focusCard(shownWhenHeld ?? 1);
  });

  async function show(html) {
    suggestions().removeAttribute("hx-morph-skip");
    hidePill();
    await htmx.swap({ sourceElement: live, target: live, text: html, swap: "innerMorph" });
    tick();
  }

  function focusCard(position) {
    const card = find(`.offer[data-position="${position}"]`) ?? find("#suggestions-title");
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  }

  // Answers: kept until the service has them ---------------------------------------------------------
  const unsent = JSON.parse(sessionStorage.getItem("nbo-unsent") ?? "[]");
  let isSending = false;
  let hasFailed = false;

  const keep = () => sessionStorage.setItem("nbo-unsent", JSON.stringify(unsent));

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-answer]");
    if (!form) return;
    event.preventDefault();
    if (form.dataset.sending) return;
    const answer = event.submitter?.dataset.answerValue;
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    if (answer) fields.set("answer", answer);
    const must = form.elements.namedItem("disclosure_read");
    if (fields.get("answer") === "accepted" && must && !must.checked) {
      find(".answer-state", form).textContent = live.dataset.readFirst;
      must.focus();
      return;
    }
    form.dataset.sending = "true";
    find(".answer-state", form).textContent = live.dataset.saving;
    unsent.push({ url: form.action, body: fields.toString() });
    keep();
    send();
  });

  async function send() {
    if (isSending) return;
    isSending = true;
    while (unsent.length) {
      const answer = await post(unsent[0]);
      hasFailed = answer === null;
      if (hasFailed) {
        setTimeout(send, 1500);
        break;
      }
      const { url } = unsent.shift();
      keep();
      if (url.includes(`${live.dataset.base}/`) && stateOf(parsed(answer)).state !== undefined) {
        const wasInCard = document.activeElement?.closest(".offer") || document.activeElement === document.body;
        await show(answer);
        if (wasInCard) find("#suggestions-title").focus({ preventScroll: true });
      }
    }
    isSending = false;
    showConnection();
  }

  async function post({ url, body }) {
    try {
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(10000) });
      return response.status >= 500 ? null : await response.text();
    } catch {
      return null;
    }
  }

  // Connection: what is seen is said to be old while the stream is down ---------------------------------
  const connection = document.getElementById("connection");
  let isLost = false;
  let lastHeard = new Date();

  function showConnection() {
    const isStuck = isLost || hasFailed;
    connection.hidden = !isStuck;
    const text = find("[data-offline]", connection);
    text.textContent = fill(text.dataset.offline, { time: lastHeard.toLocaleTimeString(document.documentElement.lang) });
    const waiting = find("[data-unsent]", connection);
    waiting.hidden = unsent.length === 0;
    waiting.textContent = fill(waiting.dataset.unsent, { count: unsent.length });
    const isWaiting = isStuck && unsent.length > 0;
    for (const state of document.querySelectorAll("form[data-sending] .answer-state")) {
      state.textContent = isWaiting ? live.dataset.willSend : live.dataset.saving;
    }
  }

  function lose() {
    if (!isLost) lastHeard = new Date();
    isLost = true;
    showConnection();
  }
  live.addEventListener("htmx:sse:error", lose);
  live.addEventListener("htmx:sse:before:connection", (event) => event.detail.connection.attempt > 0 && lose());
  live.addEventListener("htmx:sse:after:connection", () => {
    isLost = false;
    showConnection();
    send();
  });

  // Declining: the reasons open in the card, one key chooses ---------------------------------------------
  function toggleReasons(card, isOpen) {
    find("[data-reasons]", card).hidden = !isOpen;
    find("[data-actions]", card).hidden = isOpen;
    find("[data-decline]", card).setAttribute("aria-expanded", String(isOpen));
    (isOpen ? find("[data-reasons] button", card) : card).focus();
  }
  document.addEventListener("click", (event) => {
    const card = event.target.closest(".offer");
    if (card && event.target.closest("[data-decline]")) toggleReasons(card, true);
    if (card && event.target.closest("[data-back]")) toggleReasons(card, false);
  });

  // Keys ----------------------------------------------------------------------------------------------
  const keysOn = document.getElementById("keys-on");
  keysOn.checked = localStorage.getItem("nbo-keys") !== "off";
  keysOn.addEventListener("change", () => localStorage.setItem("nbo-keys", keysOn.checked ? "on" : "off"));

  const press = (card, selector) => find(selector, card)?.click();
  const inCard = {
    a: (card) => press(card, 'button[value="accepted"]'),
    l: (card) => press(card, 'button[value="later"]'),
    d: (card) => press(card, "[data-decline]"),
    r: (card) => press(card, '[name="disclosure_read"]'),
    n: () => !pill.hidden && pill.click(),
  };

  function onKey(event) {
    const card = event.target.closest(".offer");
    const isChoosingReason = card && !find("[data-reasons]", card)?.hidden;
    if (event.key === "Escape") {
      if (isChoosingReason) toggleReasons(card, false);
      else if (card) find("#suggestions-title").focus();
      return true;
    }
    if (!keysOn.checked) return false;
    if (isChoosingReason && /^[1-9]$/.test(event.key)) {
      find("[data-reasons]", card).querySelectorAll("[name=reason]")[Number(event.key) - 1]?.click();
      return true;
    }
    if (/^[1-3]$/.test(event.key)) return focusCard(event.key) ?? true;
    if (event.key === "?") return document.getElementById("keys").showModal() ?? true;
    if (event.key === "/") return document.getElementById("why-not-query").focus() ?? true;
    const act = card && !isChoosingReason && inCard[event.key.toLowerCase()];
    if (act) act(card);
    return Boolean(act);
  }

  // htmx starts a moment after the page has loaded: what is typed before that asks for nothing.
  document.addEventListener("htmx:after:init", () => { document.documentElement.dataset.ready = ""; }, { once: true });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (find("dialog[open]")) return;
    if (event.target.matches("textarea, select, input:not([type=checkbox], [type=radio])")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (onKey(event)) event.preventDefault();
  });

  send();
})();
