// The live contact: keys, the card in use that never moves, and what the agent tells the service.
// htmx does the rest: it follows the contact's stream and morphs #live.
import { offerOf, watchCards } from "./exposures.js";
import { Outbox } from "./outbox.js";
import { watchProtections } from "./protections.js";
import { recall, remember } from "./storage.js";

const live = document.getElementById("live");
const { base } = live.dataset;
const find = (selector, within = document) => within.querySelector(selector);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const suggestions = () => document.getElementById("suggestions");
const stateOf = (root) => find("#suggestions", root)?.dataset ?? {};
const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

// The card in use never moves: what arrives meanwhile waits behind a pill -------------------------------
const pill = document.getElementById("pill");
let shownWhenHeld = null;

live.addEventListener("htmx:sse:before:message", (event) => {
  if (event.detail.message.event) return;
  const next = stateOf(parsed(event.detail.message.data));
  const isInUse = Boolean(find(".offer:focus-within, .offer:hover"));
  const isSame = next.state === suggestions().dataset.state;
  const isHeld = !isSame && isInUse && !outbox.answers && next.status === suggestions().dataset.status;
  suggestions().toggleAttribute("hx-morph-skip", isSame || isHeld);
  find("#notice").toggleAttribute("hx-morph-skip", true); // what was saved stays to be read
  if (isHeld && next.offers !== suggestions().dataset.offers) showPill(next.offers);
  else if (!isSame) pill.hidden = true;
});

function showPill(offers) {
  const shown = new Set(suggestions().dataset.offers.split(" "));
  const count = offers.split(" ").filter((offer) => offer && !shown.has(offer)).length;
  const { oneNew, manyNew, listChanged } = live.dataset;
  find("[data-pill-text]", pill).textContent = count > 1 ? fill(manyNew, { count }) : count ? oneNew : listChanged;
  shownWhenHeld = document.activeElement?.closest?.(".offer")?.dataset.position ?? null;
  pill.hidden = false;
}

pill.addEventListener("click", async () => {
  const response = await fetch(`${base}/live`).catch(() => null);
  if (response?.redirected) location.reload();
  if (!response?.ok || response.redirected) return;
  await show(await response.text());
  focusCard(shownWhenHeld ?? 1);
});

async function show(html) {
  suggestions().removeAttribute("hx-morph-skip");
  find("#notice").removeAttribute("hx-morph-skip");
  pill.hidden = true;
  await htmx.swap({ sourceElement: live, target: live, text: html, swap: "innerMorph" });
}

function focusCard(position) {
  const card = find(`.offer[data-position="${position}"]`) ?? find("#suggestions-title");
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

// Answers, and what was seen and mentioned before them --------------------------------------------------
const outbox = new Outbox(taken, showConnection);

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
  outbox.add(form.action, fields);
});

async function taken({ url }, { isTaken, text }) {
  if (!url.includes(`${base}/answers`)) return;
  if (stateOf(parsed(text)).state !== undefined) {
    const wasInCard = document.activeElement?.closest(".offer") || document.activeElement === document.body;
    await show(text);
    if (wasInCard) find("#suggestions-title").focus({ preventScroll: true });
  } else if (!isTaken) {
    for (const form of document.querySelectorAll("form[data-sending]")) {
      delete form.dataset.sending;
      find(".answer-state", form).textContent = live.dataset.notSaved;
    }
  }
}

const mentioned = new Set();
const tell = (offer, stage) => outbox.add(`${base}/exposures`, new URLSearchParams({ ...offer, stage }));

function showMentioned() {
  for (const button of document.querySelectorAll("[data-mention]")) {
    if (mentioned.has(button.closest(".offer").dataset.offer)) button.setAttribute("aria-pressed", "true");
  }
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-mention]");
  if (!button || button.getAttribute("aria-pressed") === "true") return;
  const card = button.closest(".offer");
  mentioned.add(card.dataset.offer);
  tell(offerOf(card), "pitched");
  showMentioned();
});
new MutationObserver(showMentioned).observe(live, { childList: true, subtree: true });
watchCards(live, (offer) => tell(offer, "seen"));
watchProtections(show);

// Connection: what is shown is said to be old while the stream is down -----------------------------------
const connection = document.getElementById("connection");
let isLost = false;
let lastHeard = new Date();

function showConnection() {
  const isStuck = isLost || outbox.hasFailed;
  connection.hidden = !isStuck;
  const text = find("[data-offline]", connection);
  text.textContent = fill(text.dataset.offline, { time: lastHeard.toLocaleTimeString(document.documentElement.lang) });
  const waiting = find("[data-unsent]", connection);
  waiting.hidden = outbox.answers === 0;
  waiting.textContent = fill(waiting.dataset.unsent, { count: outbox.answers });
  const isWaiting = isStuck && outbox.answers > 0;
  for (const state of document.querySelectorAll("form[data-sending] .answer-state")) {
    state.textContent = isWaiting ? live.dataset.willSend : live.dataset.saving;
  }
}

async function lose() {
  if (!isLost) lastHeard = new Date();
  isLost = true;
  showConnection();
  const response = await fetch(`${base}/live`).catch(() => null);
  if (response?.redirected || response?.status === 403) location.reload(); // the page itself says why
}
live.addEventListener("htmx:sse:error", lose);
live.addEventListener("htmx:sse:before:connection", (event) => event.detail.connection.attempt > 0 && lose());
live.addEventListener("htmx:sse:after:connection", () => {
  isLost = false;
  showConnection();
  outbox.send();
});

// Declining: the reasons open in the card, one key chooses ------------------------------------------------
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

// Keys ------------------------------------------------------------------------------------------------------
const keysOn = document.getElementById("keys-on");
keysOn.checked = recall("localStorage", "nbo-keys") !== "off";
keysOn.addEventListener("change", () => remember("localStorage", "nbo-keys", keysOn.checked ? "on" : "off"));

const press = (within, selector) => find(selector, within)?.click();
const inCard = {
  a: (card) => press(card, 'button[value="accepted"]'),
  l: (card) => press(card, 'button[value="later"]'),
  d: (card) => press(card, "[data-decline]"),
  p: (card) => press(card, "[data-mention]"),
  r: (card) => press(card, '[name="disclosure_read"]'),
  n: () => !pill.hidden && pill.click(),
};

function onKey(event) {
  const card = event.target.closest(".offer");
  const isChoosingReason = card && find("[data-reasons]", card)?.hidden === false;
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
  if (event.key === "/") return document.getElementById("why-not-query")?.focus() ?? true;
  const key = event.key.toLowerCase();
  if (key === "w" && event.target.closest("#suggestions")) return press(live, '[data-open="wrap-up"]') ?? true;
  if (key === "f") return press(live, '[data-open="protect"]:not([data-statement])') ?? true;
  const act = card && !isChoosingReason && inCard[key];
  if (act) act(card);
  return Boolean(act);
}

function rate(event) {
  const score = keysOn.checked && find(`#wrap-up[open] [name="csat"][value="${event.key}"]`);
  score?.focus();
  score?.click();
}

// htmx starts a moment after the page has loaded: what is typed before that asks for nothing.
document.addEventListener("htmx:after:init", () => { document.documentElement.dataset.ready = ""; }, { once: true });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.target.matches("textarea, select, input:not([type=checkbox], [type=radio])")) {
    if (event.key === "Escape" && !find("dialog[open]")) event.target.blur();
  } else if (find("dialog[open]")) {
    if (/^[1-5]$/.test(event.key)) rate(event);
  } else if (onKey(event)) {
    event.preventDefault();
  }
});

outbox.send();
