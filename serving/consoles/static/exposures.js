// What was seen: half of a card in view for a second while the page is visible, once for each decision and offer.
const SEEN_AFTER_MS = 1000;
const SHARE_IN_VIEW = 0.5;

export function offerOf(card) {
  const form = card.querySelector("form[data-answer]"); // a closed contact's card has none
  return form && { decision_id: form.elements.decision_id.value, offer_id: form.elements.offer_id.value };
}

// Call `onSeen(offer)` for what is seen below `root`, whatever comes to stand there.
export function watchCards(root, onSeen) {
  const inView = new Set();
  const waiting = new Map();
  const told = new Set();

  function look() {
    const wanted = new Map();
    for (const card of document.visibilityState === "visible" ? inView : []) {
      const offer = card.isConnected && offerOf(card);
      if (offer) wanted.set(`${offer.decision_id} ${offer.offer_id}`, offer);
    }
    for (const [name, timer] of waiting) {
      if (wanted.has(name)) continue;
      clearTimeout(timer);
      waiting.delete(name);
    }
    for (const [name, offer] of wanted) {
      if (told.has(name) || waiting.has(name)) continue;
      waiting.set(name, setTimeout(() => {
        waiting.delete(name);
        told.add(name);
        onSeen(offer);
      }, SEEN_AFTER_MS));
    }
  }

  const eye = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio } of entries) {
      if (intersectionRatio >= SHARE_IN_VIEW) inView.add(target);
      else inView.delete(target);
    }
    look();
  }, { threshold: SHARE_IN_VIEW });

  function follow() {
    for (const card of root.querySelectorAll(".offer")) eye.observe(card);
    look();
  }
  follow();
  document.addEventListener("visibilitychange", look);
  new MutationObserver(follow).observe(root, { childList: true, subtree: true, attributeFilter: ["value"] });
}
